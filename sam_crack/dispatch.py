"""How a command line becomes the call of a verb; imports nothing heavy."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import json
import math
import os
import select
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from sam_crack import __version__
from sam_crack.console import Console
from sam_crack.errors import Interrupted, UsageError
from sam_crack.failures import INTERRUPTED, explain

PROG = "sam-crack"


@dataclass(frozen=True)
class Verb:
    """One thing that can be done: `run(options, console)` gives a dict, printed with --json.

    The dict may hold `exit_code`, for a verb that finishes its report and yet fails.
    """

    summary: str
    """What it does, in the list of verbs."""
    options: str
    """`module:Class`, a frozen dataclass; its module must not import torch."""
    run: str
    """`module:function`."""
    config: bool = False
    """Whether it takes `--config FILE` and dotted flags, as a third argument `run_config`."""


Verbs: TypeAlias = Mapping[str, Verb]


def run_command_line(
    verbs: Verbs, groups: Mapping[str, Sequence[str]], argv: Sequence[str] | None = None
) -> int:
    """Run one command line and return its exit code.

    Args:
        verbs: Name, of one or two words, to verb.
        groups: Headings of the help text to the first words of the verbs below them.
        argv: What follows the program's name; taken from the system when None.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a mistyped path must not become a download
    try:
        with _terminated_as_interrupt():
            return _run(verbs, groups, list(words))
    except SystemExit as stop:  # argparse after --help
        return int(stop.code or 0)
    except BrokenPipeError as error:
        return _reader_is_gone(error, words)
    except BaseException as error:
        code, line = explain(error)
        return _fail(code, line, as_json="--json" in words)


def _run(verbs: Verbs, groups: Mapping[str, Sequence[str]], words: list[str]) -> int:
    lead = []
    while words and words[0].startswith("-"):  # switches may stand before the verb
        lead.append(words.pop(0))
    if words[:1] == ["help"]:  # `sam-crack help train`
        words = [*words[1:], "--help"] if words[1:] else []
        lead.append("--help")
    if not words:
        return _answer_without_verb(lead, top_help(verbs, groups))
    name, rest = _find_verb(verbs, words)
    if name not in verbs:  # `sam-crack weights --help`
        Console().say(group_help(verbs, name))
        return 0
    verb = verbs[name]
    from sam_crack.config.flags import read_command

    command = read_command(
        lead + rest,
        _load(verb.options),
        prog=f"{PROG} {name}",
        summary=verb.summary,
        config=verb.config,
    )
    extra = {"run_config": command.run_config} if verb.config else {}
    run = _load(verb.run)
    if not command.console.json:
        result = run(command.options, command.console, **extra)
    else:
        with contextlib.redirect_stdout(sys.stderr):  # stdout carries one document only
            result = run(command.options, command.console, **extra)
        Console().say(json.dumps(_jsonable(result)))
    code = result.get("exit_code", 0)
    return code if isinstance(code, int) else 0


def _answer_without_verb(lead: list[str], text: str) -> int:
    if "--version" in lead:
        Console().say(f"{PROG} {__version__}")
    elif {"-h", "--help"} & set(lead):
        Console().say(text)
    elif lead:
        raise UsageError(f"{lead[0]} needs a verb", "", f"see {PROG} --help")
    else:
        Console(json=True).say(text)
        return UsageError.exit_code
    return 0


def _find_verb(verbs: Verbs, words: list[str]) -> tuple[str, list[str]]:
    """Split the words into the verb, of one or two words, and what follows it."""
    pair = " ".join(words[:2])
    if pair in verbs:
        return pair, words[2:]
    first = words[0]
    if first in verbs:
        return first, words[1:]
    subs = [name for name in verbs if name.startswith(f"{first} ")]
    if subs and {"-h", "--help"} & set(words[1:2]):
        return first, []
    if subs:
        todo = f"choose one of {', '.join(subs)}"
        raise UsageError(f"{pair!r} is not a verb", todo, _near(pair, subs))
    known = [*verbs, *(name.split()[0] for name in verbs)]
    raise UsageError(f"{first!r} is not a verb", "", _near(first, known) or f"see {PROG} --help")


def _near(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, dict.fromkeys(known), n=2, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else ""


def top_help(verbs: Verbs, groups: Mapping[str, Sequence[str]]) -> str:
    """List every verb with its summary, by group."""
    width = max(map(len, verbs)) + 2
    lines = [f"usage: {PROG} VERB ...", "", "Teach Segment Anything to find road cracks.", ""]
    grouped = {first for firsts in groups.values() for first in firsts}
    others = {name.split()[0]: None for name in verbs if name.split()[0] not in grouped}
    for title, firsts in {**groups, "more": tuple(others)}.items():
        rows = [name for first in firsts for name in verbs if name.split()[0] == first]
        if rows:
            lines += [f"{title}:", *(f"  {n:<{width}}{verbs[n].summary}" for n in rows), ""]
    lines += [
        f"{PROG} VERB --help explains every option; {PROG} --version prints the version.",
        "Switches of every verb: --json --quiet --no-progress --offline",
        "Exit codes: 0 ok, 1 bug, 2 usage, 3 bad input, 4 integrity, 130 interrupted.",
    ]
    return "\n".join(lines)


def group_help(verbs: Verbs, first: str) -> str:
    """List the verbs that begin with one word."""
    rows = {name: verb for name, verb in verbs.items() if name.startswith(f"{first} ")}
    width = max(map(len, rows)) + 2
    lines = [f"  {name:<{width}}{verb.summary}" for name, verb in rows.items()]
    return "\n".join([f"usage: {PROG} {first} VERB ...", "", *lines])


def _load(target: str) -> Any:  # noqa: ANN401 - a class or a function, by name
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def _jsonable(value: object) -> object:
    """Turn what verbs return into what JSON knows; a NaN becomes null."""
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_jsonable(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # numpy and torch
        return _jsonable(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _fail(code: int, line: str, *, as_json: bool) -> int:
    if as_json:
        Console().say(json.dumps({"error": line, "exit_code": code}))
    Console(json=True).say(f"{PROG}: {line}")
    return code


def _reader_is_gone(error: BrokenPipeError, words: list[str]) -> int:
    """Stop quietly when `| head` has read enough; any other pipe is an ordinary failure."""
    if not _stdout_is_broken():
        return _fail(*explain(error), as_json="--json" in words)
    with contextlib.suppress(OSError, ValueError):  # what is still buffered goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return INTERRUPTED


def _stdout_is_broken() -> bool:
    try:
        poller = select.poll()
        poller.register(sys.stdout.fileno(), 0)  # errors are reported unasked
    except (AttributeError, OSError, ValueError):
        return False
    return bool(poller.poll(0))


@contextlib.contextmanager
def _terminated_as_interrupt() -> Iterator[None]:
    """Let SIGTERM end a verb as Ctrl-C does; a verb with its own handler replaces this one."""

    def stop(signum: int, _frame: object) -> None:
        raise Interrupted(f"interrupted by {signal.Signals(signum).name}")

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread: leave the signals alone
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
