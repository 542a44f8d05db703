"""The command line: fast help, exit codes, one JSON document, one line per failure."""

import dataclasses
import errno
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sam_crack import dispatch
from sam_crack.cli import GROUPS, VERBS, main
from sam_crack.config.docs import field_docs
from sam_crack.config.load import config_hash, leaves, load_config
from sam_crack.config.schema import RunConfig
from sam_crack.dispatch import Verb, run_command_line
from sam_crack.errors import BadInput, IntegrityError, Interrupted, UsageError

SHIPPED = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))
HEAVY = ("torch", "numpy", "cv2", "scipy", "PIL", "matplotlib", "timm")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlayOptions:
    """Options of a verb that exists only here."""

    paths: tuple[Path, ...]
    """Files."""
    ratio: float = 0.5
    """Any number. Example: 0.25."""
    deep: bool = False
    """Go deep."""
    keep_all: bool = True
    """Keep 100 % of it."""
    size: tuple[int, int] = (1, 2)
    """Height and width."""
    limit: int | None = 3
    """How many."""


PLAYED: list[PlayOptions] = []
TO_RAISE: list[BaseException] = []


def run_play(options, console, run_config=None):
    PLAYED.append(options)
    print("third parties print")
    console.say("said")
    if TO_RAISE:
        raise TO_RAISE.pop()
    answer = {"offline": console.offline, "nan": float("nan"), "path": Path("a"), "exit_code": 0}
    return answer | ({} if run_config is None else {"lr": run_config.train.lr})


@pytest.fixture
def play(monkeypatch, capfd, tmp_path):
    monkeypatch.setitem(sys.modules, "play_room", sys.modules[__name__])
    monkeypatch.setenv("SAM_CRACK_HOME", str(tmp_path / "home"))
    table = {
        "play": Verb("play", options="play_room:PlayOptions", run="play_room:run_play"),
        "set up": Verb("set", options="play_room:NoOptions", run="play_room:run_play", config=True),
    }
    PLAYED.clear()
    TO_RAISE.clear()

    def run(*args, error=None):
        TO_RAISE.extend([] if error is None else [error])
        code = run_command_line(table, {}, [str(arg) for arg in args])
        return code, *capfd.readouterr()

    return run


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoOptions:
    """Nothing to choose."""


def test_options_become_positionals_and_flags(play):
    assert play("play", "a", "b c", "--ratio=1e-3", "--deep", "--no-keep-all")[0] == 0
    assert [
        PlayOptions(paths=(Path("a"), Path("b c")), ratio=1e-3, deep=True, keep_all=False)
    ] == PLAYED


@pytest.mark.parametrize("text", ["-1", "-.5", "-1e-4"])
def test_negative_numbers_are_values(play, text):
    assert play("play", "x", "--ratio", text)[0] == 0
    assert PLAYED[0].ratio == float(text)


def test_options_read_lists_and_none(play):
    assert play("play", "x", "--size", "7,9", "--limit", "none")[0] == 0
    assert PLAYED[0].size == (7, 9)
    assert PLAYED[0].limit is None


@pytest.mark.parametrize(
    ("args", "clause"),
    [
        (["play"], "required: PATHS"),
        (["play", "a", "--rato", "1"], "did you mean --ratio"),
        (["play", "a", "--rat", "1"], "--rat is not an option"),
        (["play", "a", "--ratio", "x"], "ratio: 'x'; must be a number"),
        (["play", "a", "--ratio"], "expected one argument"),
        (["play", "a", "--size", "7"], "2 comma-separated values"),
        (["play", "a", "--deep=1"], "ignored explicit argument"),
        (["set", "up", "more"], "'more' is one argument too many"),
        (["set", "up", "--train.lrr", "1"], "did you mean --train.lr"),
        (["set", "up", "--train.lr", "7"], "train.lr: '7'; must be a number, 0 to 1"),
        (["set", "up", "--config", "nope"], "does not come with the package"),
        (["set", "up", "--config", "nope.yaml"], "no such file"),
        (["set", "off"], "choose one of set up"),
        (["set"], "choose one of set up"),
        (["plya"], "did you mean play?"),
        (["--quiet"], "needs a verb"),
    ],
)
def test_a_usage_mistake_is_one_line_and_exit_2(play, args, clause):
    code, out, err = play(*args)
    assert (code, out) == (2, "")
    assert clause in err
    assert err.count("\n") == 1


def test_a_usage_mistake_shows_the_form(play):
    code, _, err = play("play")
    assert code == 2
    assert "command line: the following arguments are required: PATHS; the form is `" in err
    assert "sam-crack play PATHS ... [options]`; see sam-crack play --help" in err


def test_json_is_one_document_whatever_others_print(play):
    code, out, err = play("play", "a", "--json", "--offline")
    assert code == 0
    assert json.loads(out) == {"offline": True, "nan": None, "path": "a", "exit_code": 0}
    assert err == "third parties print\nsaid\n"


def test_json_carries_errors_too(play):
    code, out, _ = play("play", "a", "--json", error=BadInput("b", "c", "d"))
    assert json.loads(out) == {"error": "b; c; d", "exit_code": code}
    code, out, _ = play("--json", "play")
    assert json.loads(out)["exit_code"] == code == 2


def test_offline_comes_from_the_environment(play, monkeypatch):
    monkeypatch.setenv("SAM_CRACK_OFFLINE", "1")
    assert json.loads(play("play", "a", "--json")[1])["offline"] is True
    monkeypatch.setenv("SAM_CRACK_OFFLINE", "0")
    assert json.loads(play("play", "a", "--json")[1])["offline"] is False


def test_quiet_is_quiet(play):
    assert play("play", "a", "--quiet")[1:] == ("third parties print\n", "")


def test_dotted_flags_file_and_environment_reach_the_verb(play, tmp_path, monkeypatch):
    file = tmp_path / "c.yaml"
    file.write_text("train: {lr: 0.25}")
    assert json.loads(play("set", "up", "--json", "--config", file)[1])["lr"] == 0.25
    monkeypatch.setenv("SAM_CRACK__TRAIN__LR", "0.5")
    assert json.loads(play("set", "up", "--json", "--config", file)[1])["lr"] == 0.5
    assert json.loads(play("set", "up", "--json", "--train.lr", "0.75")[1])["lr"] == 0.75


def test_a_hyphen_in_a_dotted_flag_is_an_underscore(play):
    assert play("set", "up", "--train.head-lr=0.1")[0] == 0


OUT_OF_MEMORY = type("OutOfMemoryError", (RuntimeError,), {})
FAILURES = [
    (UsageError("a"), 2, "a"),
    (BadInput("a", "b"), 3, "a; b"),
    (IntegrityError("a"), 4, "a"),
    (Interrupted("stopped"), 130, "stopped"),
    (KeyboardInterrupt(), 130, "interrupted"),
    (OSError(errno.ENOSPC, "x", "/data/out"), 3, "/data/out: the disk is full; free space"),
    (PermissionError(errno.EACCES, "x", "/root/f"), 3, "/root/f: permission denied; change"),
    (OSError(errno.EROFS, "x", "f"), 3, "f: the file system is read-only"),
    (FileNotFoundError(errno.ENOENT, "x", "f"), 3, "f: no such file"),
    (OSError(errno.ENOSPC, "x"), 3, "a file: the disk is full"),
    (BrokenPipeError(errno.EPIPE, "a child went away"), 1, "this is a bug: BrokenPipeError"),
    (MemoryError(), 3, "the memory is full"),
    (RuntimeError("alloc_cpu.cpp: can't allocate memory: 9 GB"), 3, "the memory is full"),
    (OSError(errno.EFBIG, "File too large", "state"), 3, "larger than the limit"),
    (OUT_OF_MEMORY("cuda"), 3, "the accelerator's memory is full"),
    (ModuleNotFoundError("no", name="pyogrio.raw"), 2, "pip install 'sam-crack[geo]'"),
    (ZeroDivisionError("division\nby zero"), 1, "this is a bug: ZeroDivisionError: division by"),
]


@pytest.mark.parametrize(("error", "code", "clause"), FAILURES)
def test_every_failure_is_one_line_and_its_exit_code(play, error, code, clause):
    got, _, err = play("play", "a", error=error)
    assert got == code
    last = err.splitlines()[-1]
    assert last.startswith("sam-crack: ")
    assert clause in last
    assert "Traceback" not in err


def test_a_bug_leaves_its_traceback_in_a_file(play, tmp_path):
    line = play("play", "a", error=ZeroDivisionError("x"))[2].splitlines()[-1]
    (log,) = (tmp_path / "home" / "logs").iterdir()
    assert str(log) in line
    assert "ZeroDivisionError: x" in log.read_text()


def test_a_verb_may_finish_and_yet_fail(play, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "run_play", lambda *_: {"exit_code": 3})
    assert play("play", "a")[0] == 3


def test_two_words_may_have_help_of_their_own(play):
    code, out, _ = play("set", "--help")
    assert code == 0
    assert "set up" in out
    assert play("set", "up", "--help")[0] == 0
    assert play("help", "set", "up") == play("set", "up", "--help")
    assert play("help")[0] == 0


WORDS = [
    "play",
    "set",
    "up",
    "--json",
    "--ratio",
    "1",
    "--config",
    "demo",
    "--train.lr",
    "--",
    "-h",
]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(words=st.lists(st.sampled_from(WORDS) | st.text(max_size=8), max_size=6))
def test_no_command_line_is_a_bug(play, words):
    code, _, err = play(*words)
    assert code in (0, 2)
    assert "Traceback" not in err


def test_help_explains_each_option(play):
    out = " ".join(play("play", "--help")[1].split())
    assert "Files. [one or more, each a path]" in out
    assert "Keep 100 % of it. [true or false; default true]" in out
    assert "Any number. Example: 0.25. [a number; default 0.5]" in out


@pytest.mark.parametrize("args", [["--help"], ["weights", "--help"], ["config", "--help"]])
def test_help_is_fast_and_imports_nothing_heavy(args):
    code = (
        "import sys, sam_crack.cli as c; c.main(sys.argv[1:]);"
        f"sys.exit([m for m in {HEAVY} if m in sys.modules] or 0)"
    )
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-c", code, *args], capture_output=True, text=True, check=False
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)  # busy seconds: neighbours cost none
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert done.returncode == 0, done.stderr
        assert "usage: sam-crack" in done.stdout
    assert min(seconds) < 0.5


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_answers_help_without_torch(name):
    options = VERBS[name].options.partition(":")
    code = (
        "import sys, sam_crack.cli as c; c.main([*sys.argv[1:], '--help']);"
        "sys.exit('torch is imported' if 'torch' in sys.modules else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *name.split()], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = getattr(importlib.import_module(options[0]), options[2])
    for field, leaf in leaves(loaded).items():
        assert field_docs(leaf.owner)[field.rpartition(".")[2]]
        shown = field.rstrip("_").replace("_", "-")
        assert f"--{shown}" in done.stdout or field.upper() in done.stdout


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_leads_to_a_function(name):
    assert callable(dispatch._load(VERBS[name].run))


def test_every_verb_stands_under_a_heading():
    headed = {first for firsts in GROUPS.values() for first in firsts}
    assert {name.split()[0] for name in VERBS} <= headed


def test_version_and_module_entry():
    done = subprocess.run(
        [sys.executable, "-m", "sam_crack", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("sam-crack 0.")


def test_a_closed_pipe_is_quiet():
    line = f"{sys.executable} -m sam_crack config demo | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] in ("0", "130")


def test_sigterm_is_an_interrupt(play, monkeypatch, tmp_path):
    def wait(*_):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
        raise AssertionError("the signal was not delivered")

    monkeypatch.setattr(sys.modules[__name__], "run_play", wait)
    code, _, err = play("play", "a")
    assert code == 130
    assert "SIGTERM" in err
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_config_prints_what_would_run(run_cli, tmp_path):
    code, out, _ = run_cli("config", "demo", "--train.lr", "1e-4")
    assert code == 0
    file = tmp_path / "printed.yaml"
    file.write_text(out)
    printed = load_config(RunConfig, file=file)
    assert printed.train.lr == 1e-4
    code, out, _ = run_cli("config", file, "--json")
    assert json.loads(out)["hash"] == config_hash(printed)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_config_parses_and_holds_only_differences(file):
    from sam_crack.config.load import overlay_of
    from sam_crack.config.overlay import read_overlay

    config = load_config(RunConfig, file=file)
    written = RunConfig.__name__, _leaf_names(read_overlay(file))
    assert written == ("RunConfig", _leaf_names(overlay_of(config)))
    assert yaml.safe_load(file.read_text())


def _leaf_names(tree, prefix=""):
    names = set()
    for key, value in tree.items():
        name = prefix + key
        known = name in leaves(RunConfig)
        names |= {name} if known else _leaf_names(value or {}, f"{name}.")
    return names


def test_main_reads_the_system_arguments(monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["sam-crack", "--version"])
    assert main() == 0
