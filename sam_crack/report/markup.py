"""The few functions through which every character of a report passes on its way into HTML."""

from __future__ import annotations

import base64
import html
import re

# Characters that HTML forbids even in escaped form; lone surrogates come from odd file names.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
_KINDS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"<svg", "image/svg+xml"),
    (b"<?xml", "image/svg+xml"),
)
_VOID = {"img", "meta", "br"}


def escape(text: object) -> str:
    """Return text as it may stand between tags and in quoted attributes."""
    return html.escape(clean(str(text)), quote=True)


def clean(text: str) -> str:
    """Replace characters that neither HTML nor XML may hold."""
    return _FORBIDDEN.sub("\ufffd", text)


def tag(name: str, content: str = "", /, **attributes: str) -> str:
    """Return an element around markup; attribute values are escaped, `klass` becomes `class`."""
    words = [name]
    for key, value in attributes.items():
        plain = "class" if key == "klass" else key.replace("_", "-")
        plain = "viewBox" if key == "viewBox" else plain
        words.append(f'{plain}="{escape(value)}"')
    opened = f"<{' '.join(words)}>"
    return opened if name in _VOID else f"{opened}{content}</{name}>"


def data_uri(image: bytes) -> str:
    """Return a picture as an address that needs no network."""
    for start, kind in _KINDS:
        if image.startswith(start):
            return f"data:{kind};base64,{base64.b64encode(image).decode()}"
    raise ValueError("a picture that is neither JPEG nor PNG nor SVG")
