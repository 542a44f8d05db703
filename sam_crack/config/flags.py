"""A dataclass of options as a command line: positionals, flags, help, and back to values."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, get_args

from sam_crack.config.docs import field_docs
from sam_crack.config.fields import Positional
from sam_crack.config.kinds import describe, element_kind
from sam_crack.config.load import (
    Leaf,
    Setting,
    build,
    from_text,
    leaves,
    load_config,
    shipped_config,
)
from sam_crack.config.schema import RunConfig
from sam_crack.config.values import as_text
from sam_crack.console import Console
from sam_crack.errors import UsageError

SWITCHES = {
    "json": "print exactly one JSON document on stdout; everything else goes to stderr",
    "quiet": "say nothing but warnings and errors",
    "no-progress": "draw no progress bars",
    "offline": "never touch the network; SAM_CRACK_OFFLINE=1 does the same",
}
_PLACE = "command line"
_NEGATIVE = re.compile(r"-\.?\d")
_PRECEDENCE = (
    "A flag wins over the environment (SAM_CRACK__TRAIN__LR=1e-4 is --train.lr 1e-4), "
    "the environment over the file, the file over the defaults."
)


@dataclass(frozen=True, kw_only=True)
class Command:
    """What one command line asks for."""

    options: Any
    """The verb's own options."""
    console: Console
    """The switches that all verbs share."""
    run_config: RunConfig | None
    """The resolved configuration, for verbs that take one."""


class _Parser(argparse.ArgumentParser):
    """argparse that raises our one-line error in place of printing two."""

    def error(self, message: str) -> NoReturn:
        raise self.mistake(message, f"see {self.prog} --help")

    def mistake(self, given: str, todo: str) -> UsageError:
        """Compose the error about what was typed; the accepted form is the usage line."""
        return UsageError(f"{_PLACE}: {given}", f"the form is `{self.usage}`", todo)


def read_command(
    argv: Sequence[str], options: type, *, prog: str, summary: str, config: bool
) -> Command:
    """Parse what follows the verb; `--help` prints and exits."""
    parser = command_parser(options, prog=prog, summary=summary, config=config)
    given, unknown = parser.parse_known_args(_spell_out(argv))
    if unknown:
        raise _unknown(parser, unknown[0])
    values = {name: value for name, value in vars(given).items() if value is not None}
    switches = {name.replace("-", "_"): bool(values.pop(f"@{name}", False)) for name in SWITCHES}
    switches["offline"] |= os.environ.get("SAM_CRACK_OFFLINE", "").lower() not in ("", "0", "false")
    settings = {
        name.removeprefix("@option:"): _as_setting(leaves(options), name, value)
        for name, value in values.items()
        if name.startswith("@option:")
    }
    flags = {name: str(value) for name, value in values.items() if not name.startswith("@")}
    file = values.get("@config") or values.get("@option:config")
    return Command(
        options=build(options, settings),
        console=Console(**switches),
        run_config=_resolve(file, flags) if config else None,
    )


def command_parser(options: type, *, prog: str, summary: str, config: bool) -> _Parser:
    """Build the parser of one verb from its dataclass of options."""
    own = leaves(options)
    required = [
        n.upper() + " ..." * (element_kind(leaf.kind) is not None)
        for n, leaf in own.items()
        if leaf.default is dataclasses.MISSING
    ]
    positionals = [*required, *(f"[{n.upper()}]" for n, leaf in own.items() if _by_place(leaf))]
    usage = " ".join([prog, *positionals, "[options]", *(["[--section.key VALUE]"] * config)])
    parser = _Parser(
        prog=prog,
        usage=usage,
        description=summary,
        epilog=_PRECEDENCE if config else None,
        allow_abbrev=False,
        add_help=False,
    )
    group = parser.add_argument_group("options")
    for name, leaf in own.items():
        flag = name.rstrip("_").replace("_", "-")  # `continue_`, because Python owns the word
        _add(group, name, leaf, dest=f"@option:{name}", flag=flag)
    if config and "config" not in own:
        help_text = "YAML file, or the name of one that comes with the package. Example: demo"
        group.add_argument("--config", metavar="FILE", dest="@config", help=help_text)
    common = parser.add_argument_group("switches of every verb")
    for name, text in SWITCHES.items():
        common.add_argument(f"--{name}", action="store_true", dest=f"@{name}", help=text)
    common.add_argument("-h", "--help", action="help", help="show this text")
    if config:
        _add_sections(parser)
    return parser


def _add_sections(parser: _Parser) -> None:
    groups: dict[str, argparse._ArgumentGroup] = {}
    for name, leaf in leaves(RunConfig).items():
        section = name.rpartition(".")[0]
        if section not in groups:
            text = (leaf.owner.__doc__ or "").partition("\n")[0]
            groups[section] = parser.add_argument_group(f"{section or 'run'}: {text}")
        _add(groups[section], name, leaf, dest=name, flag=name, switch=False)


def _add(
    group: argparse._ArgumentGroup,
    name: str,
    leaf: Leaf,
    *,
    dest: str,
    flag: str,
    switch: bool = True,
) -> None:
    doc = field_docs(leaf.owner).get(name.rpartition(".")[2], "")
    required = leaf.default is dataclasses.MISSING
    default = "" if required else f"; default {as_text(leaf.default) or 'empty'}"
    repeated = element_kind(leaf.kind) if required else None
    accepted = (
        describe(leaf.kind) if repeated is None else f"one or more, each {describe(repeated)}"
    )
    text = f"{doc} [{accepted}{default}]".strip().replace("%", "%%")
    metavar = name.rpartition(".")[2].upper()
    if required:
        nargs = None if repeated is None else "+"
        group.add_argument(dest, metavar=metavar, nargs=nargs, help=text)
    elif _by_place(leaf):
        group.add_argument(dest, metavar=metavar, nargs="?", help=text)
    elif leaf.kind is bool and switch:
        action = argparse.BooleanOptionalAction
        group.add_argument(f"--{flag}", dest=dest, action=action, default=None, help=text)
    else:
        group.add_argument(f"--{flag}", dest=dest, metavar=metavar, help=text)


def _by_place(leaf: Leaf) -> bool:
    return any(isinstance(part, Positional) for part in get_args(leaf.kind))


def _as_setting(own: Mapping[str, Leaf], name: str, value: object) -> Setting:
    if isinstance(value, list):
        return Setting(raw=value, place=_PLACE)
    text = as_text(value) if isinstance(value, bool) else str(value)
    return from_text(own[name.removeprefix("@option:")].kind, text, _PLACE)


def _resolve(file: str | None, flags: Mapping[str, str]) -> RunConfig:
    path = None if file is None else Path(file).expanduser()
    if path is not None and not path.exists() and path.name == file and not path.suffix:
        path = shipped_config(path.name)
    return load_config(RunConfig, file=path, flags=flags, environ=os.environ)


def _spell_out(argv: Sequence[str]) -> list[str]:
    """Take `--train.head-lr -1e-4` for `--train.head_lr=-1e-4`, which argparse understands."""
    words: list[str] = []
    for word in argv:
        name, sign, value = word.partition("=")
        if name.startswith("--") and "." in name:
            words.append("--" + name[2:].replace("-", "_") + sign + value)
        elif _NEGATIVE.match(word) and words and re.fullmatch(r"--[^=]+", words[-1]):
            words[-1] += f"={word}"
        else:
            words.append(word)
    return words


def _unknown(parser: _Parser, word: str) -> UsageError:
    name = word.partition("=")[0]
    todo = f"see {parser.prog} --help"
    if not name.startswith("-"):
        return parser.mistake(f"{word!r} is one argument too many", todo)
    known = [flag for action in parser._actions for flag in action.option_strings]
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    todo = f"did you mean {' or '.join(near)}?" if near else todo
    return parser.mistake(f"{name} is not an option", todo)
