"""Positions against an independent reference: Cartesian coordinates on the ellipsoid."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_crack.measure.place import interpolate, offset, project, unproject
from sam_crack.measure.positions import Track

A_M, B_M = 6_378_137.0, 6_356_752.314245


def _ecef(lat, lon):
    """WGS 84 to Cartesian metres, from the two half axes."""
    lat, lon = math.radians(lat), math.radians(lon)
    x, z = A_M**2 * math.cos(lat), B_M**2 * math.sin(lat)
    norm = math.hypot(A_M * math.cos(lat), B_M * math.sin(lat))
    return np.array([x * math.cos(lon), x * math.sin(lon), z]) / norm


def _local(lat, lon, origin):
    """East and north of the origin, metres, by rotating Cartesian differences."""
    phi, lam = map(math.radians, origin)
    d = _ecef(lat, lon) - _ecef(*origin)
    east = [-math.sin(lam), math.cos(lam), 0]
    north = [-math.sin(phi) * math.cos(lam), -math.sin(phi) * math.sin(lam), math.cos(phi)]
    return np.array([np.dot(east, d), np.dot(north, d)])


LAT, LON = st.floats(-80, 80), st.floats(-180, 180)


@given(LAT, LON, st.floats(0, 360), st.floats(-20, 20), st.floats(0, 60))
def test_offset_lands_where_it_should(lat, lon, heading, x_right_m, z_ahead_m):
    place = offset(lat, lon, heading, x_right_m=x_right_m, z_ahead_m=z_ahead_m)
    turn = math.radians(heading)
    ahead, right = [math.sin(turn), math.cos(turn)], [math.cos(turn), -math.sin(turn)]
    wanted = z_ahead_m * np.array(ahead) + x_right_m * np.array(right)
    assert _local(*place, (lat, lon)) == pytest.approx(wanted, abs=0.01)


def test_offset_ahead_of_a_car_going_east_is_east():
    lat, lon = offset(50.0, 8.0, 90.0, x_right_m=2.0, z_ahead_m=10.0)
    assert lon > 8.0
    assert lat < 50.0  # its right hand is south


@given(LAT, LON, st.floats(-0.005, 0.005), st.floats(-0.005, 0.005))
def test_project_is_centimetres_off_within_a_kilometre(lat, lon, d_lat, d_lon):
    east_north = project(lat + d_lat, lon + d_lon, origin=(lat, lon))
    assert east_north == pytest.approx(_local(lat + d_lat, lon + d_lon, (lat, lon)), abs=0.05)


def test_project_crosses_the_date_line():
    east, north = project(10.0, -179.9995, origin=(10.0, 179.9995))
    assert 100 < east < 120
    assert north == pytest.approx(0)


def _track(*rows):
    table = np.array(rows, dtype=float)
    return Track(time_s=table[:, 0], lat_deg=table[:, 1], lon_deg=table[:, 2])


EAST = _track((100, 50, 8.0), (101, 50, 8.0002), (102, 50, 8.0004), (104, 50, 8.0008))


def test_interpolate_between_and_on_points():
    assert interpolate(EAST, 100.5) == pytest.approx((50, 8.0001, 90.0), abs=1e-3)
    assert interpolate(EAST, 101)[:2] == pytest.approx((50, 8.0002))
    assert interpolate(EAST, 104)[:2] == pytest.approx((50, 8.0008))


def test_interpolate_gives_nothing_outside_and_in_gaps():
    assert interpolate(EAST, 99.9) is None
    assert interpolate(EAST, 104.1) is None
    assert interpolate(EAST, 103, max_gap_s=1.5) is None
    assert interpolate(EAST, 103) is not None


@pytest.mark.parametrize(
    ("d_lat", "d_lon", "heading"), [(1, 0, 0), (0, 1, 90), (-1, 0, 180), (0, -1, 270)]
)
def test_headings_are_clockwise_from_north(d_lat, d_lon, heading):
    track = _track(*((t, 10 + 1e-4 * t * d_lat, 20 + 1e-4 * t * d_lon) for t in range(10)))
    assert interpolate(track, 4.3).heading_deg == pytest.approx(heading, abs=0.01)


def test_a_standing_car_keeps_the_heading_it_came_with():
    north = [(t, 1e-4 * t, 0) for t in range(10)]
    standing = [(t, 9e-4, 0) for t in range(10, 40)]
    east = [(t, 9e-4, 1e-4 * (t - 39)) for t in range(40, 50)]
    track = _track(*north, *standing, *east)
    assert interpolate(track, 30).heading_deg == pytest.approx(0, abs=0.1)
    assert interpolate(track, 45).heading_deg == pytest.approx(90, abs=0.1)


def test_a_car_that_never_moves_has_no_heading():
    assert math.isnan(interpolate(_track((0, 1, 1), (9, 1, 1)), 5).heading_deg)


def test_the_date_line_is_no_jump():
    track = _track((0, 0, 179.9999), (2, 0, -179.9999))
    place = interpolate(track, 1)
    assert abs(place.lon_deg) == pytest.approx(180)
    assert place.heading_deg == pytest.approx(90)


@given(LAT, LON, st.floats(-5000, 5000), st.floats(-5000, 5000))
def test_unproject_is_the_inverse_of_project(lat, lon, east, north):
    there = unproject([east, north], origin=(lat, lon))
    assert project(*there, origin=(lat, lon)) == pytest.approx([east, north], abs=1e-4)
