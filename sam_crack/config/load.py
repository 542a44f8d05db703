"""Defaults, then a YAML file, then the environment, then flags: one frozen config, and back."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
from collections.abc import Container, Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from sam_crack.config.kinds import Kind, accepts_none, choices_of, describe, type_hints
from sam_crack.config.values import NULL_WORDS, MismatchError, parse, plain
from sam_crack.errors import SamCrackError, UsageError

C = TypeVar("C")
ENVIRONMENT_PREFIX = "SAM_CRACK__"


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """One setting of a config: its dotted name is its key in `leaves`."""

    kind: Kind
    """The declared type, with its bounds."""
    owner: type
    """The dataclass that declares it."""
    default: object
    """The default value, or `dataclasses.MISSING`."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A raw value for one leaf, and where it was found."""

    raw: object
    place: str
    """The file, `command line` or `environment NAME`."""


def leaves(cls: type) -> Mapping[str, Leaf]:
    """List every setting of a config class by dotted name, in the order of the schema."""
    return _leaves(cast("Hashable", cls))


@cache
def _leaves(cls: type) -> Mapping[str, Leaf]:
    found: dict[str, Leaf] = {}
    for item in dataclasses.fields(cls):
        kind = type_hints(cls)[item.name]
        if dataclasses.is_dataclass(kind):
            found |= {f"{item.name}.{k}": leaf for k, leaf in leaves(cast(type, kind)).items()}
            continue
        default = item.default
        if item.default_factory is not dataclasses.MISSING:
            default = item.default_factory()
        found[item.name] = Leaf(kind=kind, owner=cls, default=default)
    return found


def load_config(
    cls: type[C],
    *,
    file: Path | None = None,
    flags: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> C:
    """Lay a YAML file, environment twins and dotted flags over the defaults, in this order.

    Args:
        cls: A frozen dataclass, such as `RunConfig`.
        file: YAML with only what differs from the defaults; None for the defaults alone.
        flags: Dotted name to text: `{"train.lr": "1e-4"}`.
        environ: The environment; `SAM_CRACK__TRAIN__LR=1e-4` is the twin of `--train.lr 1e-4`.

    Raises:
        UsageError: For any mistake, in one line that names the place, the key and the remedy.
    """
    settings: dict[str, Setting] = {}
    if file is not None:
        from sam_crack.config.overlay import read_overlay

        settings |= _from_tree(cls, read_overlay(file), str(file))
    settings |= _from_environment(cls, environ or {})
    for name, text in (flags or {}).items():
        _check_name(cls, name, "command line")
        settings[name] = from_text(leaves(cls)[name].kind, text, "command line")
    return build(cls, settings)


def from_text(kind: Kind, text: str, place: str) -> Setting:
    """Take a value written as text, where `none` means None for a setting that has it."""
    is_null = text.strip().lower() in NULL_WORDS and accepts_none(kind)
    return Setting(raw=None if is_null else text, place=place)


def build(cls: type[C], settings: Mapping[str, Setting], prefix: str = "") -> C:
    """Make the dataclass from raw settings by dotted name; what is absent keeps its default."""
    values: dict[str, Any] = {}
    for item in dataclasses.fields(cast(Any, cls)):
        kind, name = type_hints(cast(type, cls))[item.name], prefix + item.name
        if dataclasses.is_dataclass(kind):
            values[item.name] = build(cast(type, kind), settings, f"{name}.")
        elif name in settings:
            values[item.name] = _parse_setting(kind, name, settings[name])
    try:
        return cls(**values)
    except SamCrackError as error:
        place = _place_of(settings, prefix, error.given)
        raise UsageError(f"{place}: {error.given}", error.accepted, error.todo) from error
    except (ValueError, TypeError) as error:
        raise UsageError(f"{_place_of(settings, prefix, str(error))}: {prefix}{error}") from error


def dump_config(config: object) -> str:
    """Write a config as YAML, complete: every setting, defaults included."""
    import yaml

    tree = plain(config)
    # PyYAML loses line separators such as NEL unless it writes them as escapes
    legible = json.dumps(tree, ensure_ascii=False).isprintable()
    return str(yaml.safe_dump(tree, sort_keys=False, allow_unicode=legible, width=10_000))


def overlay_of(config: object, *, without: Container[str] = ()) -> dict[str, Any]:
    """Return only what differs from the defaults, nested as in YAML, but for some settings."""
    overlay: dict[str, Any] = {}
    for name, leaf in leaves(type(config)).items():
        value = value_at(config, name)
        if name in without:
            continue
        if leaf.default is dataclasses.MISSING or plain(value) != plain(leaf.default):
            *sections, last = name.split(".")
            node = overlay
            for section in sections:
                node = node.setdefault(section, {})
            node[last] = plain(value)
    return overlay


def config_hash(config: object, *, without: Container[str] = ()) -> str:
    """Return the sha256 of what differs from the defaults, the same on every machine.

    A setting that is added later, with a default that changes nothing, changes no hash.
    """
    canonical = json.dumps(
        overlay_of(config, without=without), sort_keys=True, separators=(",", ":")
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def value_at(config: object, name: str) -> object:
    """Return the value under a dotted name."""
    for part in name.split("."):
        config = getattr(config, part)
    return config


def shipped_config(name: str) -> Path:
    """Return the path of a config that comes with the package, in a checkout and in a wheel."""
    folder = shipped_folder("configs")
    file = folder / f"{name}.yaml"
    if not file.is_file():
        names = [path.stem for path in folder.glob("*.yaml")]
        raise UsageError(f"config {name!r} does not come with the package", *suggest(name, names))
    return file


def shipped_folder(name: str) -> Path:
    """Return where `configs` or `checkpoints` lies, in a checkout and in a wheel."""
    package = Path(__file__).resolve().parents[1]
    inside = package / f"_{name}"  # where pyproject.toml puts it in the wheel
    return inside if inside.is_dir() else package.parent / name


def suggest(word: str, names: Iterable[str]) -> tuple[str, str]:
    """Compose the second and third clause of an error about an unknown name."""
    known = sorted(set(names))
    near = difflib.get_close_matches(word, known, n=2, cutoff=0.5)
    shown = ", ".join(known[:40]) + (", ..." if len(known) > 40 else "")
    return (f"known: {shown}", f"did you mean {' or '.join(near)}?" if near else "")


def shorten(value: object) -> str:
    """Show a raw value in one short line."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:56]}...{text[-1]}"


def _parse_setting(kind: Kind, name: str, setting: Setting) -> object:
    try:
        return parse(kind, setting.raw)
    except MismatchError as error:
        todo = ""
        if isinstance(setting.raw, str):
            near = difflib.get_close_matches(setting.raw, choices_of(kind), n=1, cutoff=0.5)
            todo = f"did you mean {near[0]}?" if near else ""
        given = f"{setting.place}: {name}: {shorten(setting.raw)}"
        raise UsageError(given, f"must be {error}", todo) from error
    except TypeError as error:
        raise TypeError(f"{name}: {error}: {describe(kind)}") from error


def _place_of(settings: Mapping[str, Setting], prefix: str, message: str) -> str:
    """Find the source of the setting that a `__post_init__` complains about."""
    inside = [name for name in settings if name.startswith(prefix)]
    named = [name for name in inside if name in message or name.rpartition(".")[2] in message]
    places = dict.fromkeys(settings[name].place for name in named or inside)
    return " and ".join(places) or "defaults"


def _from_tree(
    cls: type, tree: Mapping[str, Any], place: str, prefix: str = ""
) -> dict[str, Setting]:
    found: dict[str, Setting] = {}
    for key, value in tree.items():
        name = prefix + key
        if "." in key:  # else `train.lr` and `train: {lr: ...}` could disagree
            accepted = "in a file a setting stands below its section"
            section, _, rest = key.partition(".")
            todo = f"write {section}: {{{rest}: ...}}"
            raise UsageError(f"{place}: {shorten(key)} has a dot", accepted, todo)
        if name in leaves(cls):
            found[name] = Setting(raw=value, place=place)
        elif any(leaf.startswith(f"{name}.") for leaf in leaves(cls)):
            if value is not None and not isinstance(value, dict):
                accepted = f"{name} is a section; settings stand below it"
                todo = "see what `sam-crack config demo` prints"
                raise UsageError(f"{place}: {name}: {shorten(value)}", accepted, todo)
            found |= _from_tree(cls, value or {}, place, f"{name}.")
        else:
            _check_name(cls, name, place)
    return found


def _from_environment(cls: type, environ: Mapping[str, str]) -> dict[str, Setting]:
    found: dict[str, Setting] = {}
    for variable, text in environ.items():
        if variable.startswith(ENVIRONMENT_PREFIX):
            place = f"environment {variable}"
            name = variable.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".")
            _check_name(cls, name, place)
            found[name] = from_text(leaves(cls)[name].kind, text, place)
    return found


def _check_name(cls: type, name: str, place: str) -> None:
    known = leaves(cls)
    if name in known:
        return
    section = name.rpartition(".")[0]
    siblings = [k for k in known if section and k.rpartition(".")[0] == section]
    _, todo = suggest(name, known)
    if not todo:  # a right name in the wrong section
        same = [k for k in known if k.rpartition(".")[2] == name.rpartition(".")[2]]
        todo = f"did you mean {' or '.join(same[:2])}?" if same else ""
    sections = dict.fromkeys(k.partition(".")[0] + (".*" if "." in k else "") for k in known)
    accepted = "known here: " + ", ".join(siblings or sections)
    raise UsageError(f"{place}: {shorten(name)} is not a setting", accepted, todo)
