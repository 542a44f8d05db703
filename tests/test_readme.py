"""What the README promises exists: verbs, options, folders, and code that runs."""

import dataclasses
import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sam_crack.cli import VERBS
from sam_crack.config.flags import command_parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = sorted(
    {
        line.strip("`# ")
        for text in [README, *(path.read_text(encoding="utf-8") for path in PAGES)]
        for line in re.findall(r"`sam-crack [a-z][^`]*`|^ *sam-crack [a-z].*", text, re.MULTILINE)
    }
)


def test_it_is_short():
    assert len(README.splitlines()) <= 200


def test_links_and_pictures_lead_somewhere():
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert "docs/demo.jpg" in targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_commands_are_found():
    assert len(COMMANDS) > 8


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_verb_and_options(command):
    words = shlex.split(command.strip())[1:]
    pair = " ".join(words[:2])
    name = pair if pair in VERBS else words[0]
    assert name in VERBS, command
    module, _, options = VERBS[name].options.partition(":")
    cls = getattr(importlib.import_module(module), options)
    assert dataclasses.is_dataclass(cls)
    config = VERBS[name].config
    parser = command_parser(cls, prog=name, summary="", config=config)
    known = {flag for action in parser._actions for flag in action.option_strings}
    given = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert given <= known, command


def test_the_file_map_names_what_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = text.split("## How the code is laid out")[1].split("```")[1]
    places = [line.split()[0] for line in block.strip().splitlines()]
    assert len(places) > 10
    assert [place for place in places if not (ROOT / place).exists()] == []
    rooms = {path.parent.name for path in (ROOT / "sam_crack").glob("*/__init__.py")}
    assert {Path(place).name for place in places} >= rooms


@pytest.mark.parametrize(
    ("backbone", "blocks"), [("tiny", 2), pytest.param("vit_b", 12, marks=pytest.mark.slow)]
)
def test_the_code_runs_and_prints_the_summary(backbone, blocks):
    code = README.split("```python\n")[1].split("```")[0]
    assert code.count('"vit_b"') == 1
    code = code.replace('"vit_b"', f'"{backbone}"')
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert f"lora on q, v of {blocks} of {blocks} blocks: {2 * blocks} matched" in done.stdout
    assert "torch.Size([2, 1, 448, 560])" in done.stdout
