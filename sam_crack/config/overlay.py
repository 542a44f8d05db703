"""YAML text as a tree of text: no tags, no anchors, no duplicate keys, every mistake by line.

Scalars stay text and the declared type decides what they mean, so that `1e-4`, `no` and `0123`
read the same in a file, in the environment and on the command line.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from sam_crack.errors import UsageError

Tree: TypeAlias = Any  # dicts, lists, text and None, nested
LARGEST_BYTES = 100_000
DEEPEST = 12
_READABLE = ("a readable YAML file is needed", "check the path")
_PLAIN = (
    "a config is a map of `key: value`, keys being names of settings",
    "see what `sam-crack config demo` prints",
)
_NULLS = ("", "~", "null", "Null", "NULL")


def read_overlay(file: Path) -> dict[str, Any]:
    """Read a YAML file into nested dicts, lists, text and None."""
    try:
        with file.open("rb") as stream:
            blob = stream.read(LARGEST_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{file}: {reason}", *_READABLE) from error
    except ValueError as error:  # a null byte in the name
        raise UsageError(f"{str(file)!r}: {error}", *_READABLE) from error
    if len(blob) > LARGEST_BYTES:
        given = f"{file}: larger than {LARGEST_BYTES:,} bytes"
        raise UsageError(given, "a config is a small file", "check the path")
    try:
        text = blob.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{file}: byte {error.start} is not UTF-8", "a config is UTF-8 text", "save it as UTF-8"
        ) from error
    return parse_overlay(text, str(file))


def parse_overlay(text: str, source: str) -> dict[str, Any]:
    """Turn YAML text into nested dicts, lists, text and None; `source` names it in errors."""
    try:
        tree = _build(yaml.parse(text, Loader=yaml.SafeLoader), source)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = " ".join(str(error.problem or error.context).split())
        raise UsageError(f"{source} line {line}: not valid YAML: {problem}", *_PLAIN) from error
    except (yaml.YAMLError, ValueError, IndexError, OverflowError) as error:
        # the last three: PyYAML on absurd escapes and versions
        problem = " ".join(str(error).split())
        raise UsageError(f"{source}: not valid YAML: {problem}", *_PLAIN) from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise UsageError(f"{source}: holds a {_kind(tree)}", *_PLAIN)
    return tree


def _kind(tree: object) -> str:
    return "list" if isinstance(tree, list) else "single value"


def _build(events: Iterable[yaml.Event], source: str) -> Tree:
    """Build the tree with an own stack, so that depth cannot exhaust Python's."""
    root: list[Any] = []
    stack: list[tuple[Any, list[str]]] = [(root, [])]  # a map waits for a value under its last key
    for event in events:
        line = event.start_mark.line + 1 if event.start_mark else 1
        where = f"{source} line {line}"
        _refuse_magic(event, where)
        match event:
            case yaml.ScalarEvent():
                is_null = event.implicit[0] and event.value in _NULLS
                _attach(stack, None if is_null else event.value, where)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                node: Tree = {} if isinstance(event, yaml.MappingStartEvent) else []
                _attach(stack, node, where)
                stack.append((node, []))
                if len(stack) > DEEPEST:
                    raise UsageError(f"{where}: nested deeper than {DEEPEST - 1}", *_PLAIN)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                stack.pop()
    if len(root) > 1:
        given = f"{source}: holds {len(root)} documents"
        raise UsageError(given, "a config is one document", "keep the first, without ---")
    return root[0] if root else None


def _refuse_magic(event: yaml.Event, where: str) -> None:
    anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
    if anchor is not None:
        given = f"{where}: anchor or alias {anchor!r}"
        raise UsageError(given, "a config is plain YAML", "write the value out")
    if tag is not None:
        given = f"{where}: tag {tag!r}"
        raise UsageError(given, "a config is plain YAML", "write the value without the tag")


def _attach(stack: list[tuple[Any, list[str]]], value: Tree, where: str) -> None:
    parent, waiting = stack[-1]
    if isinstance(parent, list):
        parent.append(value)
    elif waiting:
        parent[waiting.pop()] = value
    elif not isinstance(value, str):
        raise UsageError(f"{where}: a key that is not a word", *_PLAIN)
    elif value in parent:
        raise UsageError(f"{where}: {value!r} stands twice", "each key once", "remove one of them")
    else:
        waiting.append(value)
