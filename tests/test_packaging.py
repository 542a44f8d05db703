"""What is shipped: the wheel, the lock, the commands, and that they agree with each other."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import sam_crack

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
PINS = [Requirement(line.rstrip(" \\")) for line in re.findall(r"^[a-z].*", LOCK, re.MULTILINE)]
TESTED = [
    {"python_version": version, "python_full_version": f"{version}.4", "sys_platform": system}
    for version in ("3.11", "3.12", "3.13")
    for system in ("linux", "darwin")
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed: make install")
    out = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "-w", str(out), str(ROOT)], check=True)
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_package_configs_and_licence(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, inside in (("sam_crack", "sam_crack"), ("configs", "sam_crack/_configs")):
        for file in (ROOT / folder).rglob("*.[py]*"):
            if file.suffix in (".py", ".yaml"):
                assert f"{inside}/{file.relative_to(ROOT / folder).as_posix()}" in names
    assert "sam_crack/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "configs/"))]


def test_the_wheel_works_away_from_the_checkout(wheel, tmp_path):
    target = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--target", str(target)]
    subprocess.run([*pip, str(wheel)], check=True)
    done = subprocess.run(
        [sys.executable, "-m", "sam_crack", "config", "demo"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = yaml.safe_load((ROOT / "configs" / "demo.yaml").read_text())
    assert yaml.safe_load(done.stdout)["train"]["steps"] == expected["train"]["steps"]
    assert (target / "bin" / "sam-crack").is_file()


def test_the_lock_names_no_registry_and_hashes_everything():
    assert not re.search(r"https?://|--index|--find-links|--extra|file:|-c /|/tmp", LOCK)
    entries = re.split(r"^(?=[a-z])", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) == len(PINS) > 100
    assert all("--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize("environment", TESTED, ids=lambda e: "-".join(e.values()))
def test_the_lock_pins_every_requirement_once(environment):
    applying = [pin for pin in PINS if pin.marker is None or pin.marker.evaluate(environment)]
    pinned = {pin.name: str(pin.specifier).removeprefix("==") for pin in applying}
    assert len(pinned) == len(applying)
    for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]:
        wanted = Requirement(line)
        assert wanted.specifier.contains(pinned[wanted.name.lower()]), wanted


def test_every_run_time_bound_says_why():
    text = (ROOT / "pyproject.toml").read_text()
    for line in PROJECT["dependencies"]:
        assert re.search(rf'^  "{re.escape(line)}", +# \S', text, re.MULTILINE), line


def test_makefile_and_project_agree_on_python():
    low, high = re.search(
        r"\(3, (\d+)\) <= .* <= \(3, (\d+)\)", (ROOT / "Makefile").read_text()
    ).groups()
    supported = SpecifierSet(PROJECT["requires-python"])
    assert [f"3.{minor}" in supported for minor in range(int(low) - 1, int(high) + 2)] == [
        False,
        *[True] * (int(high) - int(low) + 1),
        False,
    ]


def test_citation_and_package_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == sam_crack.__version__
    assert citation["license"] == PROJECT["license"] == "Apache-2.0"
    assert "Version 2.0, January 2004" in (ROOT / "LICENSE").read_text()


def test_make_help_names_the_four_commands():
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = {line.split()[0] for line in shown.stdout.splitlines()}
    assert {"install", "test", "demo", "lock", "clean"} <= listed


def test_the_scripts_are_valid_and_executable():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)
    steps = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["test"]["steps"]
    assert any(step.get("run") == ".ci/run" for step in steps)


def test_make_refuses_a_python_that_is_too_old(tmp_path):
    fake = tmp_path / "bin"
    fake.mkdir()
    for name in ("python3", "python3.11", "python3.12", "python3.13"):
        (fake / name).write_text("#!/bin/sh\nexit 1\n")
        (fake / name).chmod(0o755)
    done = subprocess.run(
        ["make", "install", f"VENV={tmp_path / 'venv'}"],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{fake}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "no Python 3.11 to 3.13 found" in done.stderr
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize("name", sam_crack.__all__)
def test_public_names_arrive_on_first_use(name):
    assert getattr(sam_crack, name) is not None
    assert name in dir(sam_crack)


def test_the_public_names_are_what_type_checkers_see():
    tree = ast.parse((ROOT / "sam_crack" / "__init__.py").read_text())
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        alias.name
        for node in ast.walk(blocks[0])
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen | {"__version__"} == set(sam_crack.__all__)


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        sam_crack.no_such_name  # noqa: B018
