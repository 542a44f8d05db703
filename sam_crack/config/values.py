"""One value of a declared type: read from text or YAML, and written back."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from sam_crack.config.fields import Range
from sam_crack.config.kinds import Kind, describe, element_kind

Plain: TypeAlias = Any  # what YAML and JSON hold: dicts, lists, text, numbers, None
NULL_WORDS = ("", "null", "none", "~")
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
_LARGEST_INT = 2**63 - 1


class MismatchError(ValueError):
    """A value that its declared type does not take; the loader adds where it stood."""


def parse(kind: Kind, raw: object) -> object:
    """Turn text, a list, a mapping or None into a value of the declared type.

    Raises:
        MismatchError: Saying what the type accepts.
    """
    reader = _COMPOUND.get(get_origin(kind))
    if reader is not None:
        return reader(kind, raw)
    if kind is type(None) and raw is None:
        return None
    if kind not in _READERS:
        raise TypeError(f"no reader for a field of type {kind!r}")
    if not isinstance(raw, str):
        raise MismatchError(describe(kind))
    try:
        return _READERS[kind](raw)
    except (ValueError, OverflowError, RuntimeError) as error:
        raise MismatchError(describe(kind)) from error


def plain(value: object) -> Plain:
    """Turn a config value into what YAML and JSON hold."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def as_text(value: object) -> str:
    """Write a value as a flag would give it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return ",".join(f"{key}={as_text(item)}" for key, item in value.items())
    if isinstance(value, tuple | list):
        return ",".join(as_text(item) for item in value)
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _parse_bounded(kind: Kind, raw: object) -> object:
    base, *bounds = get_args(kind)
    try:
        value = parse(base, raw)
    except MismatchError as error:
        raise MismatchError(describe(kind)) from error
    parts = value if isinstance(value, tuple) else (value,)
    for bound in bounds:
        if isinstance(bound, Range) and not all(part in bound for part in parts):
            raise MismatchError(describe(kind))
    return value


def _parse_literal(kind: Kind, raw: object) -> object:
    for choice in get_args(kind):
        if raw == str(choice):
            return choice
    raise MismatchError(describe(kind))


def _parse_union(kind: Kind, raw: object) -> object:
    if raw == "none" and type(None) in get_args(kind):
        return None  # as on the command line
    for part in get_args(kind):
        try:
            return parse(part, raw)
        except MismatchError:
            continue
    raise MismatchError(describe(kind))


def _parse_tuple(kind: Kind, raw: object) -> tuple[object, ...]:
    if isinstance(raw, str):
        body = raw.strip()
        body = body[1:-1] if body[:1] + body[-1:] in ("[]", "()") else body
        raw = [part.strip() for part in body.split(",")] if body.strip() else []
    if not isinstance(raw, list):
        raise MismatchError(describe(kind))
    repeated = element_kind(kind)
    kinds = [repeated] * len(raw) if repeated is not None else list(get_args(kind))
    if len(kinds) != len(raw):
        raise MismatchError(describe(kind))
    try:
        return tuple(parse(part, item) for part, item in zip(kinds, raw, strict=True))
    except MismatchError as error:
        raise MismatchError(describe(kind)) from error


def _parse_dict(kind: Kind, raw: object) -> dict[str, object]:
    if isinstance(raw, str):
        pairs = [part.partition("=") for part in raw.split(",") if part.strip()]
        if not all(sign for _, sign, _ in pairs):
            raise MismatchError(describe(kind))
        names = [name.strip() for name, _, _ in pairs]
        if len(set(names)) != len(names):
            raise MismatchError(f"{describe(kind)}, each name once")
        raw = dict(zip(names, [value.strip() for _, _, value in pairs], strict=True))
    if not isinstance(raw, dict) or not all(raw):
        raise MismatchError(describe(kind))
    item_kind = get_args(kind)[1]
    try:
        return {name: parse(item_kind, item) for name, item in raw.items()}
    except MismatchError as error:
        raise MismatchError(f"{describe(kind)}; each value {error}") from error


def _read_none(text: str) -> None:
    raise ValueError(text)


def _read_bool(text: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUE + _FALSE:
        raise ValueError(text)
    return word in _TRUE


def _read_int(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        real = float(text)  # 1e3 is meant as 1000
        number = int(real)
        if number != real:
            raise
    if abs(number) > _LARGEST_INT:
        raise ValueError(text)
    return number


def _read_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _read_path(text: str) -> Path:
    if not text.strip() or "\0" in text:
        raise ValueError(text)
    return Path(text).expanduser()


_READERS: dict[Any, Callable[[str], object]] = {
    type(None): _read_none,
    bool: _read_bool,
    int: _read_int,
    float: _read_float,
    str: str,
    Path: _read_path,
}
_COMPOUND: dict[Any, Callable[[Kind, object], object]] = {
    Annotated: _parse_bounded,
    Union: _parse_union,
    types.UnionType: _parse_union,
    Literal: _parse_literal,
    tuple: _parse_tuple,
    dict: _parse_dict,
    Mapping: _parse_dict,
}
