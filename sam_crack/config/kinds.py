"""The declared types of settings: what they accept, said in words."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from sam_crack.config.fields import Range

Kind: TypeAlias = Any  # a class, a union, a Literal, an Annotated: Python has no one type for them


@cache
def type_hints(cls: type) -> Mapping[str, Kind]:
    """Return the declared type of every field, bounds included."""
    return get_type_hints(cls, include_extras=True)


def accepts_none(kind: Kind) -> bool:
    """Whether the declared type takes None."""
    return type(None) in get_args(kind)


def element_kind(kind: Kind) -> Kind:
    """The X of `tuple[X, ...]`, or None for any other type."""
    origin: Kind = get_origin(kind)
    args = get_args(kind)
    return args[0] if origin is tuple and len(args) == 2 and args[1] is Ellipsis else None


def choices_of(kind: Kind) -> tuple[str, ...]:
    """Every literal word that the declared type takes, for did-you-mean."""
    origin: Kind = get_origin(kind)
    if origin is Literal:
        return tuple(str(choice) for choice in get_args(kind))
    return tuple(word for part in get_args(kind) for word in choices_of(part))


def describe(kind: Kind) -> str:
    """Say what the declared type accepts, as help and errors do."""
    teller = _COMPOUND.get(get_origin(kind))
    if teller is not None:
        return teller(kind)
    return _WORDS.get(kind) or str(getattr(kind, "__name__", kind))


def _describe_bounded(kind: Kind) -> str:
    base, bound, *_ = get_args(kind)
    return f"{describe(base)}, {bound}" if isinstance(bound, Range) else describe(base)


def _describe_union(kind: Kind) -> str:
    return " or ".join(describe(part) for part in get_args(kind))


def _describe_tuple(kind: Kind) -> str:
    repeated = element_kind(kind)
    if repeated is not None:
        return f"a comma-separated list, each {describe(repeated)}"
    parts = [describe(part) for part in get_args(kind)]
    if len(set(parts)) == 1:
        return f"{len(parts)} comma-separated values, each {parts[0]}"
    return "comma-separated: " + "; ".join(parts)


def _describe_dict(kind: Kind) -> str:
    return f"comma-separated NAME=VALUE pairs, each value {describe(get_args(kind)[1])}"


_COMPOUND: dict[Any, Callable[[Kind], str]] = {
    Annotated: _describe_bounded,
    Union: _describe_union,
    types.UnionType: _describe_union,
    Literal: lambda kind: "one of " + ", ".join(map(str, get_args(kind))),
    tuple: _describe_tuple,
    dict: _describe_dict,
    Mapping: _describe_dict,
}
_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
    type(None): "none",
}
