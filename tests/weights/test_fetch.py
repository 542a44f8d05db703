"""Fetching base weights: from the right source, checked, once, with errors that help."""

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sam_crack.console import Console
from sam_crack.errors import BadInput, IntegrityError
from sam_crack.weights import base as weights
from sam_crack.weights import cache
from sam_crack.weights.table import Address

QUIET = Console(quiet=True)


def _kept(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("[!.]*")]


def _part(home: Path, content: bytes) -> None:
    (cache.writable(home / "weights") / "w.pt.part").write_bytes(content)


def test_fetch_verifies_and_keeps(site, home, offer):
    offer(Address(url=site.url()))
    path = weights.fetch("toy", QUIET)
    assert path == home / "weights" / "w.pt"
    assert path.read_bytes() == site.content
    assert weights.fetch("toy", QUIET) == path
    assert len(site.asked) == 1
    assert _kept(path.parent) == ["w.pt"]


def test_fetch_says_size_place_and_source(site, home, offer, capsys):
    offer(Address(url=site.url()))
    weights.fetch("toy", Console())
    out = capsys.readouterr().out
    assert f"Fetching toy (1 MB, CC0) to {home / 'weights' / 'w.pt'}" in out
    assert f"Got it from {site.url()}; size and sha256 agree." in out


def test_the_next_source_continues_what_the_first_began(site, home, offer):
    offer(Address(url=site.url("/gone")), Address(url=site.url()))
    _part(home, site.content[:500_000])
    assert weights.fetch("toy", QUIET).read_bytes() == site.content
    assert site.ranges_asked[-1] == "bytes=500000-"


def test_wrong_bytes_are_never_kept(site, home, offer):
    offer(Address(url=site.url()))
    site.files["/w.pt"] = site.content[::-1]
    with pytest.raises(IntegrityError, match="gave a file with sha256"):
        weights.fetch("toy", QUIET)
    assert _kept(home / "weights") == []


def test_a_spoilt_part_gets_one_fresh_start(site, home, offer):
    offer(Address(url=site.url()))
    _part(home, b"x" * 100)
    assert weights.fetch("toy", QUIET).read_bytes() == site.content
    assert site.ranges_asked == ["bytes=100-", None]


def test_a_damaged_file_in_the_cache_is_replaced(site, offer, capsys):
    offer(Address(url=site.url()))
    path = weights.fetch("toy", QUIET)
    path.write_bytes(site.content[:1000])
    assert weights.fetch("toy", QUIET).read_bytes() == site.content
    assert "has 1,000 bytes; it is fetched anew" in capsys.readouterr().err


def test_every_failure_lists_each_source_and_the_way_by_hand(site, home, offer):
    spec = offer(Address(url="http://127.0.0.1:9/w.pt"), Address(url=site.url("/gone")))
    with pytest.raises(BadInput) as caught:
        weights.fetch("toy", QUIET)
    text = str(caught.value)
    assert "http://127.0.0.1:9/w.pt: Connection refused" in text
    assert f"{site.url('/gone')}: Not Found" in text
    assert str(home / "weights" / "w.pt") in text
    assert spec.sha256 in text


def test_offline_tries_nothing_and_says_what_to_do(site, home, offer):
    offer(Address(url=site.url()))
    with pytest.raises(BadInput, match=r"not tried, because of --offline"):
        weights.fetch("toy", Console(quiet=True, offline=True))
    assert site.asked == []
    assert not home.exists()


def test_offline_takes_a_file_put_there_by_hand(site, home, offer):
    offer()
    (cache.writable(home / "weights") / "w.pt").write_bytes(site.content)
    assert weights.fetch("toy", Console(offline=True)).read_bytes() == site.content


def test_a_full_disk_ends_it_at_once_and_keeps_the_part(site, home, offer, monkeypatch):
    offer(Address(url=site.url()), Address(url=site.url()))
    _part(home, site.content[:70_000])

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("sam_crack.weights.download._transfer", full)
        with pytest.raises(BadInput, match=r"the disk of .*weights is full"):
            weights.fetch("toy", QUIET)
    assert (home / "weights" / "w.pt.part").stat().st_size == 70_000
    assert weights.fetch("toy", QUIET).read_bytes() == site.content
    assert site.ranges_asked == ["bytes=70000-"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_disk_that_fills_up_while_writing_is_named(site, home, offer, monkeypatch):
    offer(Address(url=site.url()))
    monkeypatch.setattr("sam_crack.weights.download._Part.drop", lambda _: None)
    (cache.writable(home / "weights") / "w.pt.part").symlink_to("/dev/full")
    with pytest.raises(BadInput, match=r"the disk of .*weights is full"):
        weights.fetch("toy", QUIET)


def test_too_little_space_is_seen_before_the_first_byte(site, offer, monkeypatch):
    offer(Address(url=site.url()))
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(BadInput, match="0 MB free; 68 MB are needed; free some space"):
        weights.fetch("toy", QUIET)
    assert site.asked == []


@pytest.mark.parametrize("call", ["mkdir", "touch"])
def test_a_read_only_cache_names_the_variable(site, offer, monkeypatch, call):
    offer(Address(url=site.url()))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, call, refuse)
    with pytest.raises(BadInput, match=r"Read-only file system.*SAM_CRACK_HOME"):
        weights.fetch("toy", QUIET)
    assert site.asked == []


def test_processes_at_once_share_one_download(site, home, offer):
    spec = offer(Address(url=site.url()))
    code = f"""
        from sam_crack.console import Console
        from sam_crack.weights import base as weights
        from sam_crack.weights.table import *
        weights.WEIGHTS["toy"] = {spec!r}
        print(weights.fetch("toy", Console(quiet=True)))
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]
    outputs = [run.communicate(timeout=60)[0].decode().strip() for run in runs]
    assert outputs == [str(home / "weights" / "w.pt")] * 3
    assert (home / "weights" / "w.pt").read_bytes() == site.content
    assert len(site.asked) == 1
