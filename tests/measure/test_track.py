import math
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image

from sam_crack.errors import BadInput
from sam_crack.measure.exif import read_exif
from sam_crack.measure.positions import Track
from sam_crack.measure.shots import Shot, match_names
from sam_crack.measure.track import Placer, Route
from sam_crack.measure.track_file import exif_track, read_track

HEAD = "frame,time,lat,lon,heading\n"


def straight(num=11, *, metres=10.0, seconds=1.0, jitter=0.0):
    """A car that goes north from 48 degrees, and hardly moves where `metres` is zero."""
    north = np.arange(num) * metres + jitter * (np.arange(num) % 2)
    return Track(
        time_s=1000.0 + np.arange(num) * seconds,
        lat_deg=48 + north / 111_200.0,
        lon_deg=np.full(num, 9.0),
    )


def test_distance_driven_is_counted_along_the_track():
    route = Route(straight())
    pose = route.pose(1002.5)
    assert pose.station_m == pytest.approx(25, rel=1e-3)
    assert (pose.east_m, pose.north_m) == pytest.approx((0, 25), abs=0.05)
    assert pose.heading_deg == pytest.approx(0, abs=1e-6)
    assert pose.gap_s == 1.0


def test_a_standing_receiver_drives_no_distance():
    assert Route(straight(100, metres=0.0, jitter=0.4)).station_m[-1] == 0


def test_a_place_outside_the_track_is_none():
    route = Route(straight())
    assert route.pose(900) is None
    assert route.pose(1010.5) is None


@pytest.mark.parametrize("heading", [0, 90, 217])
def test_plan_and_camera_axes_are_each_others_inverse(heading):
    pose = Route(straight()).pose(1003)
    turned = type(pose)(**{**vars(pose), "heading_deg": float(heading)})
    ahead = turned.to_plan([0.0, 10.0]) - (turned.east_m, turned.north_m)
    turn = math.radians(heading)
    assert ahead == pytest.approx([10 * math.sin(turn), 10 * math.cos(turn)])
    assert turned.to_camera(turned.to_plan([2.0, 7.0])) == pytest.approx([2, 7])


def test_csv_with_headings_and_names_places_frames_by_name(tmp_path):
    path = tmp_path / "track.csv"
    path.write_text(HEAD + "a,2024-05-14T09:30:00Z,48,9,350\nb,2024-05-14T09:30:02Z,48.0001,9,10\n")
    route = Route(read_track(path))
    shots = [named("day/b.png"), Shot(name="c", source=path, clock_s=1.0)]
    by_name, timed = map(Placer(route, shots[:1]).pose, shots)
    assert (by_name.lat_deg, by_name.heading_deg) == (48.0001, 10)
    assert timed.lat_deg == pytest.approx(48.00005)
    assert min(timed.heading_deg, 360 - timed.heading_deg) == pytest.approx(0, abs=1e-9)


def named(file, *, name=None, under="/data"):
    plain = PurePosixPath(file)
    name = name or str(plain.with_suffix(""))
    return Shot(name=name, source=Path(under) / plain, clock_s=None, file=file)


A, B = named("0.jpg", under="/data/dA/img"), named("0.jpg", name="0_jpg", under="/data/dB/img")


@pytest.mark.parametrize(
    ("name", "shots", "found"),
    [
        ("0.jpg", [A], "0"),
        ("0", [A], "0"),
        ("img/0.jpg", [A], "0"),
        ("/data/dA/img/0.jpg", [A, B], "0"),
        ("dB/img/0", [A, B], "0_jpg"),
        (".\\dB\\img\\0.jpg", [A, B], "0_jpg"),
        ("0_jpg", [A, B], "0_jpg"),
        ("weg #7.jpg", [named("weg #7.jpg", name="weg _7")], "weg _7"),
        ("x.png", [named("x.png"), named("x.jpg", name="x_jpg")], "x"),
        ("x.jpg", [named("x.jpg"), named("x.jpg.png", name="x.jpg_")], "x"),
        ("a.png", [named("sub/a.png"), named("a.png")], "a"),
    ],
)
def test_a_picture_is_found_by_what_its_owner_calls_it(name, shots, found):
    assert match_names(["", name, "other"], shots) == {found: 1}


@pytest.mark.parametrize("name", ["0.jpg", "0", "img/0"])
def test_a_name_of_two_pictures_is_told(name):
    with pytest.raises(BadInput, match=r"may be /data/dA/img/0\.jpg or /data/dB/img/0\.jpg"):
        match_names([name], [A, B])


def test_the_first_video_begins_with_the_track_and_the_offset_shifts_it(tmp_path):
    shots = [Shot(name=f"{t}", source=tmp_path / "1.mp4", clock_s=t) for t in (0.0, 2.0, 4.0)]
    route = Route(straight())
    places = [Placer(route).pose(shot).station_m for shot in shots]
    assert places == pytest.approx([0, 20, 40], rel=1e-3)
    late = [Placer(route, offset_s=1.5).pose(shot).station_m for shot in shots]
    assert late == pytest.approx([15, 35, 55], rel=1e-3)
    assert Placer(route, offset_s=-1).pose(shots[0]) is None


@pytest.mark.parametrize(
    "text",
    ["", "time,lat\n1,2\n", "time,lat,lon\n1,2,3\n", "time,lat,lon\n1,91,3\n2,1,1\n",
     "time,lat,lon\n1\n2,1,1\n", "time,lat,lon\nx,1,3\n2,1,1\n", "time,lat,lon\n1,inf,3\n2,1,1\n"],
)  # fmt: skip
def test_what_is_no_track_is_refused(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(BadInput):
        read_track(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text("time;lat;lon\n0;48,1;9\n")
    with pytest.raises(BadInput, match="no column time, lat, lon in 'time;lat;lon'"):
        read_track(tmp_path / "t.csv")
    with pytest.raises(BadInput, match=r"\.gpx or \.csv"):
        read_track(tmp_path / "t.kml")


def picture(path, *, lat, lon, time, heading=None, fraction=None):
    exif = Image.Exif()
    gps = exif.get_ifd(0x8825)
    for tag, hemisphere, value in ((1, "NS", lat), (3, "EW", lon)):
        gps[tag] = hemisphere[value < 0]
        minutes = abs(value) % 1 * 60
        gps[tag + 1] = (float(int(abs(value))), float(int(minutes)), minutes % 1 * 60)
    if heading is not None:
        gps[17] = heading
    exif.get_ifd(0x8769)[0x9003] = time
    if fraction is not None:
        exif.get_ifd(0x8769)[0x9291] = fraction
    Image.new("RGB", (8, 8)).save(path, exif=exif)
    return Shot(name=path.stem, source=path, clock_s=None)


def test_pictures_bring_their_own_place(tmp_path):
    shots = [
        picture(tmp_path / f"{n}.jpg", lat=-48.5 - n / 1e4, lon=9.25, time=f"2024:05:14 09:30:0{n}")
        for n in range(3)
    ]
    found = read_exif(shots[1].source)
    assert found.lat_lon == pytest.approx((-48.5001, 9.25), abs=1e-6)
    poses = list(map(Placer(Route(exif_track(shots)), shots).pose, shots))
    assert [pose.lat_deg for pose in poses] == pytest.approx([-48.5, -48.5001, -48.5002], abs=1e-6)
    assert poses[1].heading_deg == pytest.approx(180, abs=1e-3)


@pytest.mark.parametrize("fine", [True, False])
def test_pictures_of_one_second_stand_where_they_say(tmp_path, fine):
    shots = [
        picture(
            tmp_path / f"{n}.jpg",
            lat=48 + n * 2 / 111_200,
            lon=9,
            time=f"2024:05:14 09:30:0{n // 5}",
            fraction=f"{n % 5 * 2}0" if fine else None,
        )
        for n in range(8)
    ]
    times = [read_exif(shot.source).time_s for shot in shots]
    assert len(set(times)) == (8 if fine else 2)
    placer = Placer(Route(exif_track(shots)), shots)
    stations = [placer.pose(shot).station_m for shot in shots]
    assert stations == pytest.approx([2 * n for n in range(8)], rel=2e-3)


def test_a_picture_without_a_time_among_others_keeps_its_turn(tmp_path):
    times = ("2024:05:14 09:30:00", "", "2024:05:14 09:30:02")
    shots = [
        picture(tmp_path / f"{n}.jpg", lat=48 + n / 1e4, lon=9, time=time)
        for n, time in enumerate(times)
    ]
    placer = Placer(Route(exif_track(shots)), shots)
    stations = [placer.pose(shot).station_m for shot in shots]
    assert stations == pytest.approx([0, 11.12, 22.24], rel=2e-3)


def test_pictures_of_one_second_lie_apart_on_a_track_of_another_receiver(tmp_path):
    for folder in ("left", "right"):
        (tmp_path / folder).mkdir()
    shots = [
        picture(tmp_path / folder / f"{n}.jpg", lat=0, lon=0, time=f"1970:01:01 00:16:4{n // 4}")
        for folder in ("left", "right")
        for n in range(8)
    ]
    shots = [replace(shot, name=f"{shot.source.parent.name}/{shot.name}") for shot in shots]
    placer = Placer(Route(straight()), shots)
    stations = [placer.pose(shot).station_m for shot in shots]
    assert stations == pytest.approx([2.5 * n for n in range(8)] * 2, rel=1e-3)


def test_frames_of_one_second_in_a_csv_keep_their_places(tmp_path):
    rows = [f"{n},{1000 + n // 3},{48 + n / 1e4},9,0\n" for n in range(6)]
    (tmp_path / "t.csv").write_text(HEAD + "".join(rows) + "5,1001,48.0005,9,0\n,1001,49,9,0\n")
    track = read_track(tmp_path / "t.csv")
    assert track.names == tuple("012345")
    assert track.lat_deg == pytest.approx([48 + n / 1e4 for n in range(6)])
    assert (np.diff(track.time_s) > 0).all()


def test_pictures_without_a_place_are_told(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    assert read_exif(tmp_path / "plain.png") is None
    assert read_exif(tmp_path / "absent.png") is None
    with pytest.raises(BadInput, match="EXIF"):
        exif_track([Shot(name="plain", source=tmp_path / "plain.png", clock_s=None)])


def test_points_of_a_gpx_may_be_named_after_frames(tmp_path):
    point = '<trkpt lat="{}" lon="9"><time>2024-05-14T09:30:0{}Z</time><name>{}</name></trkpt>'
    points = "".join(point.format(48 + n / 1e4, n, f"f{n}") for n in range(3))
    (tmp_path / "t.gpx").write_text(f"<gpx><trk><trkseg>{points}</trkseg></trk></gpx>")
    shots = [named("a/f2.png"), named("a/f7.png")]
    placer = Placer(Route(read_track(tmp_path / "t.gpx")), shots)
    assert placer.pose(shots[0]).lat_deg == 48.0002
    assert placer.pose(shots[1]) is None
