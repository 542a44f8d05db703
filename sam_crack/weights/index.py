"""Where the user's own pip would look for a package archive.

`pip download` of a source archive runs the archive's build code to learn its dependencies. Weights
are data, so only pip's configuration is asked for, and the index page is read here; no foreign code
runs, and the download can be resumed and bounded like any other.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit
from urllib.request import url2pathname

from sam_crack.weights.download import Transport, read_page

PIP_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class PipSettings:
    """The part of pip's configuration that says where packages come from."""

    indexes: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    transport: Transport = field(default_factory=Transport)


class _Links(HTMLParser):
    """Every link of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the address of a link."""
        if tag == "a":
            self.found += [value for key, value in attrs if key == "href" and value]


def _run_pip(*arguments: str) -> str:
    """Return what pip prints: this Python's pip, or else the first one on the path."""
    commands = [[sys.executable, "-m", "pip"]]
    commands += [[found] for name in ("pip", "pip3") if (found := shutil.which(name))]
    wide = {**os.environ, "COLUMNS": "400", "NO_COLOR": "1"}
    for command in commands:
        try:
            result = subprocess.run(  # fixed words and a resolved program, no shell
                [*command, *arguments],
                capture_output=True,
                text=True,
                timeout=PIP_SECONDS,
                env=wide,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if result.returncode == 0:
            return result.stdout
    raise LookupError("pip is not installed, so there is no package index to ask")


def _effective(listing: str) -> dict[str, str]:
    """Reduce `pip config list` to one value per setting, with pip's precedence."""
    rank = {"global": 0, "download": 1, ":env:": 2}
    chosen: dict[str, tuple[int, str]] = {}
    for line in listing.splitlines():
        match = re.fullmatch(r"([^.=]+)\.([\w-]+)=(['\"].*['\"])", line.strip())
        if not match or match[1] not in rank:
            continue
        try:
            value = str(ast.literal_eval(match[3]))
        except (ValueError, SyntaxError):
            continue
        if rank[match[1]] >= chosen.get(match[2], (-1, ""))[0]:
            chosen[match[2]] = (rank[match[1]], value)
    return {key: value for key, (_, value) in chosen.items()}


def pip_settings() -> PipSettings:
    """Ask pip which indexes, local folders, certificate and proxy its user has configured."""
    chosen = _effective(_run_pip("config", "list"))
    main = chosen.get("index-url", "").strip()
    if not main:
        stated = re.search(
            r"--index-url <url>[^(]*\(default:? (\S+?)\)", _run_pip("help", "download")
        )
        main = stated[1] if stated else ""
    off = chosen.get("no-index", "").lower() in ("1", "true", "yes", "on")
    extra = chosen.get("extra-index-url", "").split()
    return PipSettings(
        indexes=() if off else tuple(dict.fromkeys(filter(None, [main, *extra]))),
        find_links=tuple(chosen.get("find-links", "").split()),
        transport=Transport(certificates=chosen.get("cert", ""), proxy=chosen.get("proxy", "")),
    )


def _links(page: str, kind: str, base: str) -> list[str]:
    """Return the absolute file addresses on one index page, HTML (PEP 503) or JSON (PEP 691)."""
    if "json" in kind:
        content = json.loads(page)
        files = content.get("files", []) if isinstance(content, Mapping) else []
        found = [str(entry.get("url", "")) for entry in files if isinstance(entry, Mapping)]
    else:
        parser = _Links()
        parser.feed(page)
        found = parser.found
    return [urldefrag(urljoin(base, link)).url for link in found]


def _named(links: list[str], archive: str) -> Iterator[str]:
    """Yield the links whose last part is the archive's file name."""
    for link in links:
        if unquote(urlsplit(link).path).rsplit("/", 1)[-1] == archive:
            yield link


def _local(place: str) -> Path | None:
    """Return the path meant by a file address or a plain path; None for a web address."""
    parts = urlsplit(place)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    return None if parts.scheme in ("http", "https") else Path(place).expanduser()


def locate(
    project: str, archive: str, *, settings: PipSettings, reasons: list[str]
) -> Iterator[str]:
    """Yield addresses of `archive`, local folders first; add to `reasons` why a place had none."""
    page_name = re.sub(r"[-_.]+", "-", project).lower()
    pages = [f"{index.rstrip('/')}/{page_name}/" for index in settings.indexes]
    for place in (*settings.find_links, *pages):
        folder = _local(place)
        if folder is not None and (folder / archive).is_file():
            yield (folder / archive).resolve().as_uri()
            continue
        page = (folder / "index.html" if folder.is_dir() else folder) if folder else None
        if page is not None and not page.is_file():
            continue
        try:
            url = page.resolve().as_uri() if page else place
            text, kind, base = read_page(url, transport=settings.transport)
            yield from _named(_links(text, kind, base), archive)
        except (OSError, ValueError) as error:
            reasons.append(f"{shown(place)}: {error}")


def shown(url: str) -> str:
    """Return an address without the user name and password that it may carry."""
    parts = urlsplit(url)
    return (
        url if "@" not in parts.netloc else url.replace(parts.netloc.rpartition("@")[0], "***", 1)
    )
