"""A config from nested dicts, such as a part of a larger file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from sam_crack.config.load import _from_tree, build
from sam_crack.config.values import as_text

C = TypeVar("C")


def load_tree(cls: type[C], tree: Mapping[str, Any], place: str) -> C:
    """Lay a nested dict over the defaults of a config class; errors name `place`."""
    return build(cls, _from_tree(cls, tree, place))


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one nested dict over another; only sections are merged, and losses are replaced."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping) and key != "losses":
            result[key] = merged(old, value)
        else:
            result[key] = value
    return result


def as_written(value: Any) -> Any:  # noqa: ANN401 - straight from JSON
    """Turn JSON back into what a YAML file gives: text, lists and sections."""
    if isinstance(value, dict):
        return {name: as_written(item) for name, item in value.items()}
    if isinstance(value, list):
        return [as_written(item) for item in value]
    return None if value is None else as_text(value)
