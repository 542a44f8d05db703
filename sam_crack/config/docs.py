"""The docstring under a field, read from the source: it is the field's `--help`."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Mapping
from functools import cache
from itertools import pairwise


@cache
def field_docs(cls: type) -> Mapping[str, str]:
    """Return field name to docstring, for the class and the classes it inherits from."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        body = _class_bodies(base.__module__).get(base.__qualname__, [])
        for field, after in pairwise(body):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
                and isinstance(after.value.value, str)
            ):
                docs[field.target.id] = " ".join(after.value.value.split())
    return docs


@cache
def _class_bodies(module: str) -> Mapping[str, list[ast.stmt]]:
    """Parse a module once; without its source there are no docs, and no failure."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError, SyntaxError, KeyError):
        return {}
    return {node.name: node.body for node in tree.body if isinstance(node, ast.ClassDef)}
