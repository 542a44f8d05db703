"""GPX from devices, and from people who mean harm."""

import random
from datetime import UTC, datetime

import numpy as np
import pytest

from sam_crack.errors import BadInput
from sam_crack.measure import gpx
from sam_crack.measure.gpx import read_gpx

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<gpx version="1.1" creator="t" xmlns="{}"><trk>'
NAMES = "http://www.topografix.com/GPX/1/1"


def _point(number: int, time: str = "") -> str:
    stamp = f"<time>{time or f'2026-05-01T10:00:{number:02d}.500Z'}</time>"
    return f'<trkpt lat="{50 + number * 1e-4:.6f}" lon="8.5"><ele>3</ele>{stamp}</trkpt>'


def _document(points: str, names: str = NAMES) -> str:
    return f"{HEAD.format(names)}<trkseg>{points}</trkseg></trk></gpx>"


GOOD = _document("".join(_point(number) for number in range(20)))


def _read(tmp_path, text: str | bytes):
    path = tmp_path / "t.gpx"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_gpx(path)


@pytest.mark.parametrize("names", [NAMES, "http://www.topografix.com/GPX/1/0", ""])
def test_reads_times_and_places(tmp_path, names):
    track = _read(tmp_path, GOOD.replace(NAMES, names))
    assert track.time_s[0] == datetime(2026, 5, 1, 10, 0, 0, 500_000, tzinfo=UTC).timestamp()
    assert np.diff(track.time_s) == pytest.approx(1.0)
    assert track.lat_deg[3] == 50.0003
    assert (track.lon_deg == 8.5).all()


def test_points_are_sorted_and_each_time_is_kept_once(tmp_path):
    points = _point(3) + _point(1) + _point(2) + _point(1)
    assert np.diff(_read(tmp_path, _document(points)).time_s).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "time", ["2026-05-01T10:00:00", "2026-05-01T12:00:00+02:00", " 2026-05-01T10:00:00Z "]
)
def test_zones_are_understood_and_none_means_utc(tmp_path, time):
    track = _read(tmp_path, _document(_point(0, time) + _point(9)))
    assert track.time_s[0] == datetime(2026, 5, 1, 10, tzinfo=UTC).timestamp()


def test_several_tracks_and_segments_become_one(tmp_path):
    more = GOOD.replace("</trkseg>", "</trkseg><trkseg>" + _point(40) + "</trkseg>")
    assert len(_read(tmp_path, more).time_s) == 21


def test_utf16_is_read(tmp_path):
    text = GOOD.replace("UTF-8", "UTF-16").encode("utf-16")
    assert len(_read(tmp_path, text).time_s) == 20


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
)
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("doctype", [BOMB, OUTSIDE, "<!DOCTYPE gpx>"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_document_types_are_refused_in_every_encoding(tmp_path, doctype, encoding):
    text = GOOD.replace("?>", f"?>{doctype}").replace("UTF-8", encoding)
    with pytest.raises(BadInput, match="DOCTYPE"):
        _read(tmp_path, text.encode(encoding))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no element found"),
        ("not xml", "syntax error"),
        (GOOD[:-30], "no element found|unclosed"),
        (_document(""), "0 timed track points"),
        (_document(_point(1)), "1 timed track point;"),
        (_document(_point(1) * 2), "2 timed track points, all of one time"),
        (_document('<trkpt lat="1" lon="2"/>' * 3), r"\(3 without a time\)"),
        (_document(_point(1, "yesterday") + _point(2)), r"\(1 without a time\)"),
        (_document(_point(1, "9" * 999) + _point(2)), r"\(1 without a time\)"),
        (_document('<trkpt lat="x" lon="2"/>'), "no readable lat"),
        (_document('<trkpt lat="1"/>'), "no readable lat"),
        (_document('<trkpt lat="nan" lon="2"/>'), "lies at latitude nan"),
        (_document('<trkpt lat="99" lon="2"/>'), "lies at latitude 99"),
        (_document("<a>" * 100 + "</a>" * 100), "nested more than"),
    ],
)
def test_bad_files_are_named_with_the_reason(tmp_path, text, reason):
    with pytest.raises(BadInput, match=reason) as caught:
        _read(tmp_path, text)
    assert "t.gpx" in str(caught.value)


def test_missing_and_unreadable_files_are_named(tmp_path):
    for path in (tmp_path / "none.gpx", tmp_path):
        with pytest.raises(BadInput, match=path.name):
            read_gpx(path)


def test_size_and_number_are_capped(tmp_path, monkeypatch):
    monkeypatch.setattr(gpx, "MAX_POINTS", 10)
    with pytest.raises(BadInput, match="more than 10 points"):
        _read(tmp_path, GOOD)
    monkeypatch.setattr(gpx, "MAX_BYTES", 100)
    with pytest.raises(BadInput, match="split the track"):
        _read(tmp_path, GOOD)


def _fuzz(tmp_path, rounds: range) -> int:
    refused = 0
    for number in rounds:
        rng, content = random.Random(number), bytearray(GOOD.encode())
        for _ in range(rng.randint(1, 12)):
            where = rng.randrange(len(content))
            match rng.randrange(4):
                case 0:
                    content[where] ^= 1 << rng.randrange(8)
                case 1:
                    del content[where : where + rng.randint(1, 80)]
                case 2:
                    content[where:where] = content[where : where + rng.randint(1, 300)]
                case _:
                    content[where] = rng.choice(b'<>&"/=!\0\xff')
        try:
            track = _read(tmp_path, bytes(content))
        except BadInput:
            refused += 1
        else:
            assert (np.diff(track.time_s) > 0).all()
            assert (np.abs(track.lat_deg) <= 90).all()
    return refused


def test_damaged_files_end_in_one_error(tmp_path):
    assert _fuzz(tmp_path, range(100)) > 20


@pytest.mark.slow
def test_many_damaged_files_end_in_one_error(tmp_path):
    assert _fuzz(tmp_path, range(100, 2100)) > 400
