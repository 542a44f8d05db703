"""Package archives from strangers: only the wanted bytes come out, and nothing else happens."""

import gzip
import io
import random
import tarfile
import zipfile
from pathlib import Path

import pytest

from sam_crack.errors import IntegrityError
from sam_crack.weights.archives import copy_member

MEMBER = "pack-1.0/weights/w.pt"
CONTENT = random.Random(1).randbytes(40_000)


def _tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info, content in members:
            info.size = info.size or len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def _file(name: str = MEMBER, content: bytes = CONTENT) -> tuple[tarfile.TarInfo, bytes]:
    return tarfile.TarInfo(name), content


def _special(name: str, kind: bytes, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def _wheel(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in members.items():
            wheel.writestr(name, content)
    return path


def _copy(archive: Path) -> bytes:
    target = archive.with_name("out.part")
    copy_member(archive, MEMBER, size=len(CONTENT), target=target)
    return target.read_bytes()


def test_reads_the_member_of_a_source_archive(tmp_path):
    archive = _tar(tmp_path / "a.tar.gz", _file("pack-1.0/setup.py", b"raise SystemExit"), _file())
    assert _copy(archive) == CONTENT
    assert {path.name for path in tmp_path.iterdir()} == {"a.tar.gz", "out.part"}


def test_reads_the_member_of_a_wheel(tmp_path):
    assert _copy(_wheel(tmp_path / "a.whl", **{"x.py": b"1", MEMBER: CONTENT})) == CONTENT


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(_file("../../etc/cron.d/x", b"x"), id="dotdot"),
        pytest.param(_file("/etc/passwd", b"x"), id="absolute"),
        pytest.param(_file("C:/windows/x", b"x"), id="drive"),
        pytest.param(_special("pack-1.0/a", tarfile.SYMTYPE, "/etc"), id="symlink"),
        pytest.param(_special(MEMBER, tarfile.SYMTYPE, "/etc/passwd"), id="member-is-symlink"),
        pytest.param(_special(MEMBER, tarfile.LNKTYPE, "/etc/passwd"), id="member-is-hardlink"),
        pytest.param(_special(MEMBER, tarfile.FIFOTYPE), id="member-is-fifo"),
        pytest.param(_special(MEMBER, tarfile.DIRTYPE), id="member-is-folder"),
        pytest.param(_file(MEMBER, CONTENT + b"x"), id="too-long"),
        pytest.param(_file(MEMBER, CONTENT[:-1]), id="too-short"),
    ],
)
def test_a_hostile_tar_is_refused_and_leaves_nothing(tmp_path, hostile):
    archive = _tar(tmp_path / "a.tar.gz", hostile, _file())
    with pytest.raises(IntegrityError):
        _copy(archive)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


def test_a_bomb_before_the_member_is_cut_off(tmp_path, monkeypatch):
    archive = _tar(tmp_path / "a.tar.gz", _file("pack-1.0/bomb", bytes(60 << 20)), _file())
    read, real = 0, gzip.GzipFile.read

    def counted(self, size=-1):
        nonlocal read
        content = real(self, size)
        read += len(content)
        return content

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    with pytest.raises(IntegrityError, match="unpacks to far more"):
        _copy(archive)
    assert read < 20 << 20


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("sam_crack.weights.archives.MAX_MEMBERS", 3)
    many = [_file(f"pack-1.0/{number}", b"") for number in range(5)]
    with pytest.raises(IntegrityError, match="more than 3 members"):
        _copy(_tar(tmp_path / "a.tar.gz", *many, _file()))


@pytest.mark.parametrize("content", [CONTENT + b"x", CONTENT[:9], bytes(50 << 20)])
def test_a_wheel_with_another_size_is_refused(tmp_path, content):
    with pytest.raises(IntegrityError, match=r"bytes instead of 40000"):
        _copy(_wheel(tmp_path / "a.whl", **{MEMBER: content}))


def test_a_wheel_whose_member_lies_about_its_size_is_refused(tmp_path):
    archive = _wheel(tmp_path / "a.whl", **{MEMBER: CONTENT * 9})
    raw = archive.read_bytes()
    true, claimed = (len(CONTENT) * n for n in (9, 1))
    archive.write_bytes(raw.replace(true.to_bytes(4, "little"), claimed.to_bytes(4, "little")))
    with pytest.raises(IntegrityError):
        _copy(archive)


@pytest.mark.parametrize("name", ["../up", "/abs", "a\\..\\b"])
def test_a_wheel_with_an_unsafe_path_is_refused(tmp_path, name):
    with pytest.raises(IntegrityError, match="unsafe path"):
        _copy(_wheel(tmp_path / "a.whl", **{name: b"x", MEMBER: CONTENT}))


def test_a_wheel_without_the_member_or_with_two_is_refused(tmp_path):
    with pytest.raises(IntegrityError, match="0 entries"):
        _copy(_wheel(tmp_path / "a.whl", other=b"x"))
    with zipfile.ZipFile(tmp_path / "b.whl", "w") as wheel:
        wheel.writestr(MEMBER, CONTENT)
        with pytest.warns(UserWarning, match="Duplicate"):
            wheel.writestr(MEMBER, CONTENT)
    with pytest.raises(IntegrityError, match="2 entries"):
        _copy(tmp_path / "b.whl")


def test_the_error_names_the_archive_and_what_it_must_hold(tmp_path):
    with pytest.raises(IntegrityError) as caught:
        _copy(_tar(tmp_path / "a.tar.gz", _file("pack-1.0/other")))
    assert "a.tar.gz" in str(caught.value)
    assert f"{MEMBER} of 40000 bytes" in str(caught.value)


def _damage(raw: bytes, rng: random.Random) -> bytes:
    """Flip bytes, cut, repeat a stretch, or write zeros over one."""
    content = bytearray(raw)
    where = rng.randrange(len(content))
    match rng.randrange(4):
        case 0:
            for _ in range(rng.randint(1, 30)):
                content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        case 1:
            del content[where:]
        case 2:
            content[where:where] = content[where : where + rng.randint(1, 2000)]
        case _:
            content[where : where + rng.randint(1, 600)] = bytes(rng.randint(0, 600))
    return bytes(content)


def _fuzz(folder: Path, raw: bytes, suffix: str, *, rounds: range) -> int:
    """Return how many damaged archives were refused; the others must give the true bytes.

    A flip in an unrelated member may pass: then what comes out must still be right in length,
    because the hash that follows judges the content.
    """
    refused = 0
    for number in rounds:
        archive = folder / f"fuzz{suffix}"
        damaged = _damage(raw, random.Random(number))
        if suffix == ".tar.gz":
            # Behind the checksum of gzip, so that the tar reader meets the damage.
            damaged = (
                gzip.compress(damaged, 1)
                if number % 2
                else _damage(gzip.compress(raw, 1), random.Random(number))
            )
        archive.write_bytes(damaged)
        try:
            assert len(_copy(archive)) == len(CONTENT)
        except IntegrityError:
            refused += 1
            assert not (folder / "out.part").exists()
        (folder / "out.part").unlink(missing_ok=True)
    return refused


def _samples(tmp_path: Path) -> dict[str, bytes]:
    small = [_file(f"pack-1.0/{number}.py", b"x = 1\n" * number) for number in range(20)]
    tar = gzip.decompress(_tar(tmp_path / "good.tar.gz", *small, _file()).read_bytes())
    names = {f"pack/{number}.py": b"x = 1\n" * number for number in range(20)}
    return {
        ".tar.gz": tar,
        ".whl": _wheel(tmp_path / "good.whl", **names, **{MEMBER: CONTENT}).read_bytes(),
    }


@pytest.mark.parametrize("suffix", [".tar.gz", ".whl"])
def test_damaged_archives_end_in_one_error(tmp_path, suffix):
    assert _fuzz(tmp_path, _samples(tmp_path)[suffix], suffix, rounds=range(100)) > 30


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".tar.gz", ".whl"])
def test_many_damaged_archives_end_in_one_error(tmp_path, suffix):
    assert _fuzz(tmp_path, _samples(tmp_path)[suffix], suffix, rounds=range(100, 2100)) > 600
