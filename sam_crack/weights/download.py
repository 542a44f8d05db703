"""One file over the network: bounded, resumable, with short timeouts."""

from __future__ import annotations

import base64
import json
import re
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import (
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)
from urllib.response import addinfourl

TIMEOUT_S = 10.0
"""For the connection and for each read: a stalled transfer is cut and resumed."""
STALLS = 3
"""Broken connections in a row, without a byte of progress, before a source is given up."""
CHUNK = 1 << 18
PAGE_LIMIT = 32 << 20


@dataclass(frozen=True, kw_only=True)
class Transport:
    """How to reach the network; empty takes the system's own settings."""

    certificates: str = ""
    """File with certificate authorities."""
    proxy: str = ""

    def opener(self) -> OpenerDirector:
        """Build the opener that every request of one download shares."""
        cafile: str | None = self.certificates or None
        system = ssl.get_default_verify_paths()
        if not (cafile or system.cafile or system.capath):
            with suppress(ImportError):  # some Pythons ship without any authority
                import certifi

                cafile = certifi.where()
        handlers: list[Any] = [HTTPSHandler(context=ssl.create_default_context(cafile=cafile))]
        if self.proxy:
            handlers.append(ProxyHandler({"http": self.proxy, "https": self.proxy}))
        return build_opener(*handlers)


def _request(url: str, headers: Mapping[str, str]) -> Request:
    """Make a request; credentials in the address become a header that no redirect takes along."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "file"):
        raise ValueError(f"{parts.scheme}: addresses are not fetched")
    user, at, host = parts.netloc.rpartition("@")
    bare = urlunsplit(parts._replace(netloc=host))
    request = Request(bare, headers={"User-Agent": "sam-crack", **headers})
    if at:
        token = base64.b64encode(unquote(user).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {token}")
    return request


def read_page(url: str, *, transport: Transport) -> tuple[str, str, str]:
    """Return the text, the content type and the final address of a page."""
    kinds = "application/vnd.pypi.simple.v1+json, text/html;q=0.9, */*;q=0.1"
    with transport.opener().open(_request(url, {"Accept": kinds}), timeout=TIMEOUT_S) as response:
        content = response.read(PAGE_LIMIT + 1)
        if len(content) > PAGE_LIMIT:
            raise ValueError("its page is too large")
        kind = response.headers.get("Content-Type", "") or ""
        return content.decode("utf-8", "replace"), kind, response.geturl()


class _Part:
    """The bytes of a file so far, beside a note of which version of it they belong to."""

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = path, size
        self._note = path.with_name(f"{path.name}.json")

    def length(self) -> int:
        """Bytes that are there; a part longer than the file is worthless."""
        have = self.path.stat().st_size if self.path.exists() else 0
        if have > self.size:
            self.drop()
            return 0
        return have

    def validator(self, url: str) -> str:
        """Return the version tag under which this address gave the part, if it is known."""
        with suppress(OSError, ValueError, AttributeError):
            note = json.loads(self._note.read_text())
            return str(note.get("validator", "")) if note.get("url") == url else ""
        return ""

    def remember(self, url: str, headers: Message) -> None:
        """Keep the version tag of a fresh start; weak ones may not be used to resume."""
        tag = headers.get("ETag") or headers.get("Last-Modified") or ""
        tag = "" if tag.startswith("W/") else tag
        self._note.write_text(json.dumps({"url": url, "validator": tag}))

    def drop(self) -> None:
        """Forget the part."""
        self.path.unlink(missing_ok=True)
        self.forget_note()

    def forget_note(self) -> None:
        """Forget which version the part belongs to: it is complete, or gone."""
        self._note.unlink(missing_ok=True)


def _start(part: _Part, url: str, response: addinfourl, have: int) -> int:
    """Return where the bytes of `response` belong; raise if they belong to another file."""
    headers = response.headers
    if have and response.status == 206:
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", headers.get("Content-Range", ""))
        if match and int(match[1]) == have and match[3] in (str(part.size), "*"):
            return have
        part.drop()
        raise ValueError("it resumes at another place or with another file")
    length = headers.get("Content-Length")
    if length is not None and int(length) != part.size:
        raise ValueError(f"it offers {int(length):,} bytes, {part.size:,} were expected")
    part.drop()
    part.remember(url, headers)
    return 0


def _transfer(
    part: _Part, url: str, opener: OpenerDirector, progress: Callable[[int], None]
) -> None:
    """Add to the part what one connection yields."""
    have = part.length()
    headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"} if have else {}
    if have and (tag := part.validator(url)):
        headers["If-Range"] = tag
    with opener.open(_request(url, headers), timeout=TIMEOUT_S) as response:
        start = _start(part, url, response, have)
        progress(start)
        with part.path.open("ab" if start else "wb") as out:
            while chunk := response.read(CHUNK):
                start += len(chunk)
                if start > part.size:
                    raise ValueError(f"it sends more than {part.size:,} bytes")
                out.write(chunk)
                progress(start)


def download(
    url: str,
    part_path: Path,
    *,
    size: int,
    transport: Transport,
    progress: Callable[[int], None],
) -> None:
    """Bring `part_path` to `size` bytes from `url`, continuing what is already there.

    Raises OSError or ValueError with the reason. What was received stays for the next attempt;
    whether it is the right file is for its hash to say.
    """
    part, opener, stalls = _Part(part_path, size), transport.opener(), 0
    at_first = part.length()
    while (before := part.length()) < size:
        reason: Exception = ConnectionError("the connection broke off")
        try:
            _transfer(part, url, opener, progress)
        except HTTPError as error:
            error.close()
            if error.code == 416:  # the part is no prefix of what the server has
                part.drop()
            elif error.code < 500:
                raise
            reason = error
        except (HTTPException, ConnectionError, TimeoutError) as error:
            reason = error
        except URLError as error:
            if part.length() == at_first:  # never reached: the next source is the better bet
                raise
            reason = error
        stalls = 0 if part.length() > before else stalls + 1
        if stalls >= STALLS:
            raise OSError(f"gave up after {STALLS} attempts: {reason}") from reason
    progress(size)
    part.forget_note()
