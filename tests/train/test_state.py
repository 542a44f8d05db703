"""States are whole or passed over."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from torch import nn

from sam_crack.console import Console
from sam_crack.errors import IntegrityError, UsageError
from sam_crack.train import state


def trained(seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model(torch.randn(4, 3)).sum().backward()
    optimizer.step()
    return model, optimizer


def step_once(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    (model(torch.randn(4, 3)) ** 2).sum().backward()
    optimizer.step()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    model, optimizer = trained(0)
    for step in (1, 2, 3):
        now = state.capture(model, optimizer, step=step, facts={"best": None})
        state.save_state(tmp_path, now)
    return tmp_path


def test_only_the_newest_are_kept(saved: Path) -> None:
    assert sorted(path.name for path in saved.iterdir()) == ["step-00000002", "step-00000003"]


def test_restored_run_continues_bit_for_bit(tmp_path: Path) -> None:
    model, optimizer = trained(0)
    state.save_state(tmp_path, state.capture(model, optimizer, step=1, facts={}))
    step_once(model, optimizer)
    other, other_optimizer = trained(7)
    found = state.load_latest(tmp_path, Console())
    assert found is not None
    state.restore(found, other, other_optimizer)
    step_once(other, other_optimizer)
    assert torch.equal(model.weight, other.weight)


@pytest.mark.parametrize(
    "name", ["trainable.safetensors", "optimizer.safetensors", "state.json", "manifest.json"]
)
@pytest.mark.parametrize("harm", ["truncate", "flip", "remove"])
def test_harmed_state_falls_back_to_the_one_before(
    saved: Path, name: str, harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved / "step-00000003" / name
    content = path.read_bytes()
    if harm == "remove":
        path.unlink()
    else:
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        path.write_bytes(content[:middle] if harm == "truncate" else flipped)
    found = state.load_latest(saved, Console())
    # A flip inside the manifest may hit a blank; every other harm must be seen.
    if found is not None and found.step == 3:
        assert (name, harm) == ("manifest.json", "flip")
    else:
        assert found is not None
        assert found.step == 2
        assert "falling back" in capsys.readouterr().err


def test_without_a_whole_state_it_is_said_that_all_begins_anew(
    saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("step-00000002", "step-00000003"):
        (saved / name / "manifest.json").unlink()
    assert state.load_latest(saved, Console()) is None
    newest, oldest = capsys.readouterr().err.splitlines()
    assert newest.endswith("falling back to the state before it")
    assert oldest.endswith("beginning anew")


def test_a_full_disk_is_named_and_leaves_the_states_of_before(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(tensors: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")  # its own words

    monkeypatch.setattr(state, "save_file", full)
    with pytest.raises(OSError, match=r"trainable\.safetensors") as told:
        state.save_state(saved, state.capture(*trained(0), step=4, facts={}))
    assert told.value.errno == errno.ENOSPC
    assert sorted(path.name for path in saved.iterdir()) == ["step-00000002", "step-00000003"]


def test_broken_states_never_push_a_new_one_out(saved: Path) -> None:
    for name in ("step-00000002", "step-00000003"):
        (saved / name / "manifest.json").unlink()
    assert state.load_latest(saved, Console()) is None
    for step in (1, 2):
        state.save_state(saved, state.capture(*trained(0), step=step, facts={}))
    assert [path.name for path in state.saved_steps(saved)] == ["step-00000002", "step-00000001"]
    assert (saved / "step-00000003.broken").is_dir()


def test_the_state_just_written_stays_below_higher_numbers(saved: Path) -> None:
    state.save_state(saved, state.capture(*trained(0), step=1, facts={}))
    names = [path.name for path in state.saved_steps(saved)]
    assert names == ["step-00000003", "step-00000001"]


def test_an_empty_manifest_verifies_nothing(saved: Path) -> None:
    (saved / "step-00000003" / "manifest.json").write_text("{}")
    with pytest.raises(IntegrityError, match=r"does not list optimizer\.safetensors"):
        state.load_state(saved / "step-00000003")


@pytest.mark.parametrize("facts", [{"best": {"unheard_of": 1.0}}, {"stale": "many"}])
def test_facts_that_cannot_be_taken_up_are_passed_over(
    saved: Path, facts: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    state.save_state(saved, state.capture(*trained(0), step=4, facts=facts))
    found = state.load_latest(saved, Console())
    assert found is not None
    assert found.step == 3
    assert "falling back" in capsys.readouterr().err


def test_half_written_folder_is_not_seen(saved: Path) -> None:
    (saved / "step-00000003").rename(saved / ".step-00000004.tmp-1")
    found = state.load_latest(saved, Console())
    assert found is not None
    assert found.step == 2


def test_manifest_naming_a_missing_file_is_refused(saved: Path) -> None:
    manifest = saved / "step-00000003" / "manifest.json"
    manifest.write_text(json.dumps({"gone": {"bytes": 1, "sha256": ""}}))
    with pytest.raises(IntegrityError, match="gone"):
        state.load_state(saved / "step-00000003")


def test_another_model_is_refused(saved: Path) -> None:
    found = state.load_latest(saved, Console())
    assert found is not None
    other = nn.Linear(3, 2, bias=False)
    with pytest.raises(UsageError, match="bias"):
        state.restore(found, other, torch.optim.AdamW(other.parameters()))


def test_second_run_in_a_folder_is_refused(tmp_path: Path) -> None:
    with state.FolderLock(tmp_path), pytest.raises(UsageError, match="another run"):
        state.FolderLock(tmp_path)
    with state.FolderLock(tmp_path):
        pass


def test_state_of_before_there_was_a_running_mean_is_read(saved: Path) -> None:
    folder = saved / "step-00000003"
    (folder / "average.safetensors").unlink()
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["average.safetensors"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert state.load_state(folder).average == {}
