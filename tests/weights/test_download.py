"""One file over real sockets: ranges, broken connections, other sizes."""

from pathlib import Path

import pytest

from sam_crack.weights.download import Transport, download


def _download(site, part: Path) -> list[int]:
    seen: list[int] = []
    download(site.url(), part, size=len(site.content), transport=Transport(), progress=seen.append)
    return seen


def test_downloads_and_reports_progress(site, tmp_path):
    seen = _download(site, tmp_path / "p")
    assert (tmp_path / "p").read_bytes() == site.content
    assert seen == sorted(seen)
    assert seen[-1] == len(site.content)


def test_resumes_what_is_there_with_one_range_request(site, tmp_path):
    (tmp_path / "p").write_bytes(site.content[:123_456])
    _download(site, tmp_path / "p")
    assert (tmp_path / "p").read_bytes() == site.content
    assert site.ranges_asked == ["bytes=123456-"]


def test_a_broken_connection_is_continued_where_it_broke(site, tmp_path):
    site.breaks = [200_000, 100_000]
    _download(site, tmp_path / "p")
    assert (tmp_path / "p").read_bytes() == site.content
    assert site.ranges_asked == [None, "bytes=200000-", "bytes=300000-"]
    assert site.asked[1]["if-range"] == '"v1"'
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["p"]


def test_a_file_that_changed_meanwhile_is_started_over(site, tmp_path):
    site.breaks = [200_000, 0, 0, 0]
    with pytest.raises(OSError, match="gave up"):
        _download(site, tmp_path / "p")
    site.files["/w.pt"], site.etag = site.content[::-1], '"v2"'
    _download(site, tmp_path / "p")
    assert (tmp_path / "p").read_bytes() == site.content[::-1]


def test_a_server_without_ranges_is_read_from_the_start(site, tmp_path):
    site.ranges = False
    (tmp_path / "p").write_bytes(b"x" * 1000)
    _download(site, tmp_path / "p")
    assert (tmp_path / "p").read_bytes() == site.content


def test_a_source_that_never_gets_on_is_given_up(site, tmp_path):
    site.breaks = [50_000, 0, 0, 0]
    with pytest.raises(OSError, match="gave up after 3 attempts"):
        _download(site, tmp_path / "p")
    assert (tmp_path / "p").stat().st_size == 50_000


def test_a_part_that_is_too_long_is_not_trusted(site, tmp_path):
    (tmp_path / "p").write_bytes(site.content + b"x")
    _download(site, tmp_path / "p")
    assert (tmp_path / "p").read_bytes() == site.content


@pytest.mark.parametrize("other", [bytes(600_001), bytes(599_999), b"<html>log in</html>"])
def test_a_file_of_another_size_is_refused_before_it_is_read(site, tmp_path, other):
    site.files["/w.pt"] = other
    with pytest.raises(ValueError, match=f"offers {len(other):,} bytes, 600,000"):
        _download(site, tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_no_foreign_scheme_is_followed(tmp_path):
    with pytest.raises(ValueError, match="ftp: addresses"):
        download("ftp://127.0.0.1/w", tmp_path / "p", size=1, transport=Transport(), progress=print)
