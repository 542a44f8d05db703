"""AdaLoRA ends with the budget it was given, also when the run was interrupted."""

import pytest
import torch

from sam_crack.adapt.inject import inject
from sam_crack.errors import IntegrityError

STEPS = 20  # of which the last 6 no longer change ranks


@pytest.fixture
def long_run(bench):
    def make():
        case = bench("adalora", rank=4)
        encoder = case.fresh()
        case.adapted = inject(encoder, case.config, encoder.sites, total_steps=STEPS)
        return case

    return make


def run(case, first, last):
    """Make steps by plain gradient descent, which has no state of its own."""
    case.adapted.encoder.train()
    for step in range(first, last + 1):
        torch.manual_seed(step)
        case.backward()
        with torch.no_grad():
            for parameter in case.adapted.parameters().values():
                parameter.sub_(parameter.grad, alpha=0.05)
        case.adapted.after_step(step)
        case.adapted.encoder.zero_grad(set_to_none=True)
    case.adapted.encoder.eval()


def ranks(case):
    factors = case.adapted.parameters().items()
    return [int((p != 0).sum()) for name, p in factors if name.endswith("lora_E")]


def test_ranks_fall_from_one_and_a_half_to_the_budget(long_run):
    case = long_run()
    run(case, 1, 2)
    assert ranks(case) == [6] * 4
    run(case, 3, STEPS)
    assert sum(ranks(case)) == 4 * 4


@pytest.mark.parametrize("stop", [5, 13, 14, 15, 18])
def test_an_interrupted_run_ends_the_same(long_run, same, tmp_path, stop):
    whole, first, second = long_run(), long_run(), long_run()
    second.adapted.encoder.load_state_dict(first.adapted.encoder.state_dict())
    whole.adapted.encoder.load_state_dict(first.adapted.encoder.state_dict())
    run(whole, 1, STEPS)
    run(first, 1, stop)
    first.adapted.save(tmp_path)
    second.adapted.load(tmp_path)
    second.adapted.load_schedule_state(first.adapted.schedule_state())
    run(second, stop + 1, STEPS)
    assert ranks(second) == ranks(whole)
    assert same(whole.outputs(), second.outputs())


def test_a_run_resumed_without_averages_still_keeps_the_budget(long_run, tmp_path):
    first, second = long_run(), long_run()
    run(first, 1, 13)
    first.adapted.save(tmp_path)
    second.adapted.load(tmp_path)
    run(second, 14, STEPS)
    assert sum(ranks(second)) == 4 * 4


def test_a_late_call_is_refused(long_run):
    with pytest.raises(RuntimeError, match="between the optimiser's step and zero_grad"):
        long_run().adapted.after_step(1)


def test_the_penalty_is_the_distance_to_orthogonality(long_run):
    case = long_run()
    expected = []
    for name, p in case.adapted.parameters().items():
        if not name.endswith("lora_E"):
            rows = p.detach() if name.endswith("lora_A") else p.detach().T
            gaps = [
                [float(a @ b) - (i == j) for j, b in enumerate(rows)] for i, a in enumerate(rows)
            ]
            expected.append(sum(gap**2 for line in gaps for gap in line) ** 0.5)
    penalty = case.adapted.penalty()
    assert penalty.item() == pytest.approx(0.5 * sum(expected) / len(expected), rel=1e-5)
    penalty.backward()
    assert case.adapted.parameters()["blocks.0.attn.qkv.q.lora_A"].grad.any()


def test_ranks_that_peft_cut_off_are_refused(long_run, tmp_path):
    case = long_run()
    run(case, 1, STEPS)
    case.adapted.encoder.save_pretrained(tmp_path, save_embedding_layers=False)
    with pytest.raises(IntegrityError, match=r"lora_A has shape \[\d, 32\]; it needs \[6, 32\]"):
        long_run().adapted.load(tmp_path)


def test_other_methods_have_neither_penalty_nor_schedule(bench):
    adapted = bench("lora").adapted
    assert adapted.penalty() is None
    assert adapted.schedule_state() == {}
    adapted.after_step(1)
