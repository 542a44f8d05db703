"""What holds for every adapter method on every kind of encoder."""

import pytest
import torch

from sam_crack.adapt.methods import METHODS
from sam_crack.errors import UsageError

FOLDS = [name for name, spec in METHODS.items() if spec.mergeable]
STAYS = [name for name in METHODS if name not in FOLDS]
LEARNS = [name for name in METHODS if name != "head_only"]

encoders = pytest.mark.parametrize("backbone", ["tiny", "mobile_sam"])
every = pytest.mark.parametrize("method", METHODS)


@encoders
@every
def test_starts_as_base_bit_for_bit(bench, same, method, backbone):
    case = bench(method, backbone)
    assert same(case.outputs(), case.outputs(case.plain))


@encoders
@every
def test_only_the_adapter_learns(bench, method, backbone):
    case = bench(method, backbone)
    adapter = {id(p) for p in case.adapted.parameters().values()}
    frozen = {n: t.clone() for n, t in case.base.items() if id(t) not in adapter}
    before = {n: p.clone() for n, p in case.adapted.parameters().items()}
    case.train()
    learned = [p for p in case.adapted.encoder.parameters() if p.grad is not None]
    assert {id(p) for p in learned} == adapter
    assert all(torch.equal(case.base[name], value) for name, value in frozen.items())
    if method != "head_only":
        assert any(not torch.equal(before[n], p) for n, p in case.adapted.parameters().items())


@pytest.mark.parametrize("method", LEARNS)
@pytest.mark.parametrize(
    ("backbone", "blocks"),
    [("tiny", "all"), ("tiny", (1,)), ("mobile_sam", "all"), ("mobile_sam", (5, 8))],
)
def test_every_adapter_parameter_gets_a_gradient(bench, method, backbone, blocks):
    case = bench(method, backbone, **({} if method == "full" else {"blocks": blocks}))
    with torch.no_grad():
        for parameter in case.adapted.parameters().values():
            parameter.add_(torch.randn_like(parameter), alpha=0.01)
    case.backward()
    silent = [n for n, p in case.adapted.parameters().items() if not p.grad.any()]
    assert silent == []


@encoders
@pytest.mark.parametrize("method", FOLDS)
def test_merged_is_unmerged(bench, method, backbone):
    case = bench(method, backbone).train(3)
    plain = case.fresh()
    plain.load_state_dict(case.adapted.merged_state(), strict=True)
    for merged, live in zip(case.outputs(plain), case.outputs(), strict=True):
        torch.testing.assert_close(
            merged, live, rtol=0, atol=1e-5 * max(1, float(live.abs().max()))
        )


@pytest.mark.parametrize("method", FOLDS)
def test_merging_leaves_the_live_model_alone(bench, same, method):
    case = bench(method).train()
    before = case.outputs()
    case.adapted.merged_state()
    assert same(before, case.outputs())


@pytest.mark.parametrize("method", STAYS)
def test_what_cannot_fold_says_so(bench, method):
    with pytest.raises(UsageError, match=f"{method} cannot be folded.*lora.*keep base weights"):
        bench(method).adapted.merged_state()


@encoders
@every
def test_saved_and_loaded_is_the_same(bench, same, tmp_path, method, backbone):
    case = bench(method, backbone).train()
    case.adapted.save(tmp_path)
    again = case.again()
    again.load(tmp_path)
    own, found = case.adapted.parameters(), again.parameters()
    assert own.keys() == found.keys()
    assert same([*own.values()], [*found.values()])
    assert same(case.outputs(), case.outputs(again.encoder))


@encoders
@every
def test_disabled_is_base_bit_for_bit(bench, same, method, backbone):
    case = bench(method, backbone).train()
    trained = case.outputs()
    with case.adapted.disabled():
        assert same(case.outputs(), case.outputs(case.plain))
    assert same(case.outputs(), trained)
    assert method == "head_only" or not same(trained, case.outputs(case.plain))
    assert all(p.requires_grad for p in case.adapted.parameters().values())


@every
def test_the_summary_counts_what_is_there(bench, tmp_path, method):
    case = bench(method)
    facts = case.adapted.adaptation
    learned = [p for p in case.adapted.encoder.parameters() if p.requires_grad]
    assert facts.trainable == sum(p.numel() for p in learned)
    case.adapted.save(tmp_path)
    on_disk = sum(file.stat().st_size for file in tmp_path.glob("*.safetensors"))
    assert 0 <= on_disk - facts.adapter_bytes < 400 * max(1, len(learned)) + 100
    assert all(name in "\n".join(facts.lines()) for name in (method, f"{facts.trainable:,}"))


@pytest.mark.parametrize("method", [m for m in METHODS if "blocks" in METHODS[m].settings])
def test_gradients_start_at_the_first_adapted_block(bench, method):
    case = bench(method, "mobile_sam", blocks=(6, 8))
    assert case.adapted.adaptation.first_block == 6
    seen = _which_blocks_have_gradients(case)
    assert seen == [False] * 6 + [True] * 4


@pytest.mark.parametrize(
    ("method", "first", "seen"), [("full", None, True), ("head_only", 10, False)]
)
def test_gradients_everywhere_or_nowhere(bench, method, first, seen):
    case = bench(method, "mobile_sam")
    assert case.adapted.adaptation.first_block == first
    assert _which_blocks_have_gradients(case) == [seen] * 10


def _which_blocks_have_gradients(case):
    seen = []
    for block in case.plain.sites.blocks:
        module = next(m for n, m in case.adapted.encoder.named_modules() if n.endswith(block))
        module.register_forward_hook(lambda _, __, out: seen.append(out.requires_grad))
    case.adapted.encoder.train()(case.pixels)
    return seen
