"""A small web server that behaves as badly as told, for tests of fetching."""

import os
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sam_crack.weights import base as weights
from sam_crack.weights.table import Address, Package, WeightSpec

CONTENT = random.Random(7).randbytes(600_000)


@dataclass
class Site:
    """What the test server does, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=lambda: {"/w.pt": CONTENT})
    ranges: bool = True
    etag: str = '"v1"'
    breaks: list[int] = field(default_factory=list)
    """After how many bytes each of the next answers breaks off."""
    status: int = 0
    kind: str = "text/html"
    content: bytes = CONTENT
    """What is right."""
    sha256: str = sha256(CONTENT).hexdigest()
    asked: list[dict[str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def ranges_asked(self) -> list[str | None]:
        return [headers.get("range") for headers in self.asked]

    def url(self, path: str = "/w.pt") -> str:
        return f"http://127.0.0.1:{self.port}{path}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        site: Site = self.server.site
        site.asked.append({key.lower(): value for key, value in self.headers.items()})
        content = site.files.get(self.path)
        if site.status or content is None:
            self.send_error(site.status or 404)
            return
        start, wanted = 0, self.headers.get("Range")
        known = self.headers.get("If-Range") in (None, site.etag)
        if site.ranges and wanted and known:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("Content-Type", site.kind)
        if site.etag:
            self.send_header("ETag", site.etag)
        self.end_headers()
        stop = start + site.breaks.pop(0) if site.breaks else len(content)
        self.wfile.write(content[start:stop])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.site = Site(port=server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.site
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty SAM_CRACK_HOME that does not exist yet."""
    monkeypatch.setenv("SAM_CRACK_HOME", str(tmp_path / "home"))
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


@pytest.fixture
def offer(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., WeightSpec]:
    """Make `toy` the name of the server's content, to be had from the given sources."""

    def make(*sources: Address | Package) -> WeightSpec:
        spec = WeightSpec(
            name="toy",
            file="w.pt",
            size=len(CONTENT),
            sha256=sha256(CONTENT).hexdigest(),
            licence="CC0",
            about="toy",
            sources=sources,
        )
        monkeypatch.setitem(weights.WEIGHTS, "toy", spec)
        return spec

    return make


@pytest.fixture
def pip_index(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The server as the only package index that pip is configured for."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://user:s%40cret@127.0.0.1:{site.port}/simple")
    return site
