import pytest
import torch

from sam_crack.model import attention
from sam_crack.model.attention import attend, attention_kernel, fold_bias, plan_chunks
from sam_crack.model.tokens import SplitProjection, relative_table


def naive(q, k, v, rel_h, rel_w):
    """The formula of the paper, with every score at once."""
    height, width = rel_h.shape[0], rel_w.shape[0]
    grid = q.view(q.shape[0], height, width, -1)
    bias = torch.einsum("nhwd,hkd->nhwk", grid, rel_h)[..., :, None]
    bias = bias + torch.einsum("nhwd,wkd->nhwk", grid, rel_w)[..., None, :]
    scores = q @ k.mT * q.shape[-1] ** -0.5 + bias.reshape(q.shape[0], height * width, -1)
    return scores.softmax(-1) @ v


def make_inputs(count=5, height=6, width=4, channels=8):
    generator = torch.Generator().manual_seed(3)
    shapes = [(count, height * width, channels)] * 3
    shapes += [(height, height, channels), (width, width, channels)]
    return [
        torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in shapes
    ]


@pytest.mark.parametrize("chunk_bytes", [1, 2000, 10_000, 1 << 20])
def test_chunks_equal_the_formula_and_its_gradients(monkeypatch, chunk_bytes):
    monkeypatch.setattr(attention, "CHUNK_BYTES", chunk_bytes)
    inputs = make_inputs()
    weight = torch.linspace(-1, 1, inputs[0].numel(), dtype=torch.float64).view_as(inputs[0])
    ours, reference = attend(*inputs), naive(*inputs)
    torch.testing.assert_close(ours, reference)
    found = torch.autograd.grad((ours * weight).sum(), inputs)
    wanted = torch.autograd.grad((reference * weight).sum(), inputs)
    torch.testing.assert_close(found, wanted)


def test_gradients_equal_finite_differences():
    assert torch.autograd.gradcheck(attend, make_inputs(2, 2, 3, 4))


@pytest.mark.parametrize(("count", "height", "width"), [(7, 3, 5), (2, 40, 30), (1, 1, 1)])
def test_chunks_cover_every_query_once(monkeypatch, count, height, width):
    monkeypatch.setattr(attention, "CHUNK_BYTES", 1 << 18)
    q = torch.zeros(count, height * width, 2)
    seen = torch.zeros(count, height * width)
    for items, rows, tokens in plan_chunks(q, height, width):
        seen[items, tokens] += 1
        size = seen[items, tokens].numel() * height * width * q.element_size()
        assert size <= (1 << 18) or rows.stop - rows.start == 1
    assert (seen == 1).all()


def test_folded_bias_is_exact_without_a_mask():
    q, k, v, rel_h, rel_w = make_inputs()
    wide_q, wide_k = fold_bias(q, k, rel_h, rel_w)
    assert wide_q.shape[-1] == wide_k.shape[-1] == 8 + 6 + 4
    plain = attention.plain_attention(q, k, v, rel_h, rel_w)
    torch.testing.assert_close(plain, naive(q, k, v, rel_h, rel_w))


def test_folded_flash_equals_the_formula_forward_and_backward():
    inputs = [part.detach().float().requires_grad_() for part in make_inputs()]
    out = attention.folded_attention(*inputs, kernel="folded_flash")
    wanted = naive(*inputs)
    torch.testing.assert_close(out, wanted)
    grads = (torch.autograd.grad(x.square().sum(), inputs) for x in (out, wanted))
    torch.testing.assert_close(*grads, rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gpu_kernels_equal_the_formula_and_store_no_scores(dtype):
    inputs = [part.detach().cuda().to(dtype) for part in make_inputs(4, 64, 64, 64)]
    inputs = [(0.3 * part).requires_grad_() for part in inputs]
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    out = attend(*inputs)
    found = torch.autograd.grad(out.square().sum(), inputs)
    scores = 4 * 4096 * 4096 * out.element_size()
    assert torch.cuda.max_memory_allocated() - before < scores / 2
    wanted = naive(*inputs)
    tolerance = 1e-3 if dtype == torch.float32 else 5e-2
    assert (out - wanted).norm() < tolerance * wanted.norm()
    for ours, theirs in zip(found, torch.autograd.grad(wanted.square().sum(), inputs), strict=True):
        assert (ours - theirs).norm() < 2 * tolerance * theirs.norm()


@pytest.mark.parametrize(
    ("device", "dtype", "width", "kernel"),
    [
        ("cpu", torch.float32, 192, "chunked"),
        ("cpu", torch.bfloat16, 192, "chunked"),
        ("cuda", torch.bfloat16, 192, "folded_flash"),
        ("cuda", torch.bfloat16, 300, "folded_efficient"),
        ("cuda", torch.float32, 192, "folded_efficient"),
    ],
)
def test_kernel_is_named(device, dtype, width, kernel):
    assert attention_kernel(torch.device(device), dtype, width=width) == kernel


def test_autocast_does_not_mix_number_formats():
    inputs = [part.detach().float() for part in make_inputs()]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = attend(*inputs)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, naive(*inputs))


@pytest.mark.parametrize("size", [3, 7, 14, 20])
def test_relative_table_is_that_of_segment_anything(size):
    from segment_anything.modeling.image_encoder import get_rel_pos

    table = torch.randn(2 * 14 - 1, 5)
    torch.testing.assert_close(relative_table(table, size), get_rel_pos(size, size, table))


@pytest.mark.parametrize("interleaved", [False, True])
def test_split_projection_is_the_fused_layer(interleaved):
    fused = torch.nn.Linear(12, 36)
    split = SplitProjection(12, num_heads=3, interleaved=interleaved)
    for kind in ("weight", "bias"):
        whole = getattr(fused, kind).detach()
        parts = split.split(whole)
        assert torch.equal(split.fuse(parts), whole)
        for letter, part in zip("qkv", parts, strict=True):
            getattr(split, letter).get_parameter(kind).data.copy_(part)
    x = torch.randn(2, 5, 12)
    torch.testing.assert_close(split(x), fused(x))
    q, k, v = split.parts(x)
    per_head = fused(x).view(2, 5, 3, 12).split(4, dim=-1)
    whole = per_head if interleaved else fused(x).chunk(3, dim=-1)
    torch.testing.assert_close((q, k, v), tuple(part.flatten(2) for part in whole))
