"""Attention with SAM's decomposed relative position, without a tokens x tokens tensor.

The bias of query (y, x) and key (i, j) is q . R_h[y, i] + q . R_w[x, j]: it has rank h + w.
A processor takes a few query rows at a time and computes them again in backward; a GPU folds
the bias into wider queries and keys, so that its flash kernels need no mask.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

Kernel = Literal["chunked", "folded_flash", "folded_efficient"]

# Scores that live at once, in bytes: two such buffers fit a core's share of the cache.
CHUNK_BYTES = 2 << 20
FLASH_MAX_WIDTH = 256


def attention_kernel(device: torch.device, dtype: torch.dtype, *, width: int = 192) -> Kernel:
    """Name the kernel that `attend` takes; none of them stores tokens x tokens scores.

    Args:
        device: Where the tokens are.
        dtype: Their number format.
        width: Channels of one head plus height and width of the token grid.
    """
    if device.type != "cuda":
        return "chunked"
    half = dtype in (torch.float16, torch.bfloat16)
    return "folded_flash" if half and width <= FLASH_MAX_WIDTH else "folded_efficient"


def attend(q: Tensor, k: Tensor, v: Tensor, rel_h: Tensor, rel_w: Tensor) -> Tensor:
    """Attend over a whole grid of tokens, row by row from the top left.

    Args:
        q: (n, h * w, d) queries, n being images times windows times heads.
        k: Keys, of the same shape.
        v: (n, h * w, e) values.
        rel_h: (h, h, d), the vector for each query row and key row.
        rel_w: (w, w, d), the vector for each query column and key column.
    """
    width = q.shape[-1] + rel_h.shape[0] + rel_w.shape[0]
    kernel = attention_kernel(q.device, q.dtype, width=width)
    # The number format is decided here: autocast inside would mix formats within a slice.
    k, v, rel_h, rel_w = (part.to(q.dtype) for part in (k, v, rel_h, rel_w))
    with torch.autocast(q.device.type, enabled=False):
        if kernel == "chunked":
            if _is_exporting():
                # Exported graphs cannot hold the loop, and their engines plan memory themselves.
                return plain_attention(q, k, v, rel_h, rel_w)
            out: Tensor = ChunkedAttention.apply(q, k, v, rel_h, rel_w)
            return out
        return folded_attention(q, k, v, rel_h, rel_w, kernel=kernel)


def _is_exporting() -> bool:
    """Say whether this pass records a graph instead of computing."""
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return tracing or torch.compiler.is_compiling()


def plain_attention(q: Tensor, k: Tensor, v: Tensor, rel_h: Tensor, rel_w: Tensor) -> Tensor:
    """Attend with every score at once, in operations that any exporter knows."""
    wide_q, wide_k = fold_bias(q, k, rel_h, rel_w)
    return torch.softmax(wide_q @ wide_k.transpose(1, 2), dim=-1) @ v


def relative_scores(q: Tensor, rel_h: Tensor, rel_w: Tensor) -> tuple[Tensor, Tensor]:
    """Return each query's bias towards key rows (n, h, w, h) and key columns (n, h, w, w)."""
    grid = q.view(q.shape[0], rel_h.shape[0], rel_w.shape[0], q.shape[-1])
    by_row = torch.einsum("nhwd,hkd->nhwk", grid, rel_h)
    by_column = torch.einsum("nhwd,wkd->nhwk", grid, rel_w)
    return by_row, by_column


class ChunkedAttention(torch.autograd.Function):
    """Exact softmax attention over slices that fit the cache; backward recomputes them."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        q: Tensor,
        k: Tensor,
        v: Tensor,
        rel_h: Tensor,
        rel_w: Tensor,
    ) -> Tensor:
        """Write the output slice by slice."""
        ctx.save_for_backward(q, k, v, rel_h, rel_w)
        bias = relative_scores(q, rel_h, rel_w)
        out = torch.empty_like(v)
        scratch = _Scratch(q)
        for items, rows, tokens in plan_chunks(q, rel_h.shape[0], rel_w.shape[0]):
            prob = scratch.probabilities(q, k, bias, (items, rows, tokens))
            torch.bmm(prob, v[items], out=out[items, tokens])
        return out

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401
        grad_out: Tensor,
    ) -> tuple[Tensor | None, ...]:
        """Recompute each slice of probabilities and send the gradient through it."""
        q, k, v, rel_h, rel_w = ctx.saved_tensors
        grad_out = grad_out.contiguous()
        scale = q.shape[-1] ** -0.5
        bias = relative_scores(q, rel_h, rel_w)
        grad_q, grad_k, grad_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        grad_rows, grad_columns = torch.empty_like(bias[0]), torch.empty_like(bias[1])
        scratch = _Scratch(q)
        for items, rows, tokens in plan_chunks(q, rel_h.shape[0], rel_w.shape[0]):
            prob = scratch.probabilities(q, k, bias, (items, rows, tokens))
            part = grad_out[items, tokens]
            grad_v[items].baddbmm_(prob.transpose(1, 2), part)
            grad_prob = scratch.product(part, v[items].transpose(1, 2))
            grad_score = torch._softmax_backward_data(grad_prob, prob, -1, prob.dtype)
            torch.bmm(grad_score, k[items], out=grad_q[items, tokens])
            grad_k[items].baddbmm_(grad_score.transpose(1, 2), q[items, tokens], alpha=scale)
            spread = grad_score.view(*bias[0][items, rows].shape, rel_w.shape[0])
            torch.sum(spread, -1, out=grad_rows[items, rows])
            torch.sum(spread, -2, out=grad_columns[items, rows])
        grid = q.view(*grad_rows.shape[:3], -1)
        grad_grid = grad_q.mul_(scale).view_as(grid)
        grad_grid += torch.einsum("nhwk,hkd->nhwd", grad_rows, rel_h)
        grad_grid += torch.einsum("nhwk,wkd->nhwd", grad_columns, rel_w)
        grad_rel_h = grad_rel_w = None
        if ctx.needs_input_grad[3]:
            grad_rel_h = torch.einsum("nhwk,nhwd->hkd", grad_rows, grid)
        if ctx.needs_input_grad[4]:
            grad_rel_w = torch.einsum("nhwk,nhwd->wkd", grad_columns, grid)
        return grad_q, grad_k, grad_v, grad_rel_h, grad_rel_w


class _Scratch:
    """Two reused buffers of scores, so that slices touch the same memory again."""

    def __init__(self, like: Tensor) -> None:
        self.scores = like.new_empty(0)
        self.softmax = like.new_empty(0)

    def probabilities(
        self,
        q: Tensor,
        k: Tensor,
        bias: tuple[Tensor, Tensor],
        chunk: tuple[slice, slice, slice],
    ) -> Tensor:
        """Return softmax(q k / sqrt(d) + bias) of one slice."""
        items, rows, tokens = chunk
        by_row, by_column = bias[0][items, rows], bias[1][items, rows]
        shape = (*by_row.shape, by_column.shape[-1])
        scores = _reuse(self, "scores", shape)
        torch.add(by_row[..., :, None], by_column[..., None, :], out=scores)
        flat = scores.view(shape[0], shape[1] * shape[2], -1)
        flat.baddbmm_(q[items, tokens], k[items].transpose(1, 2), alpha=q.shape[-1] ** -0.5)
        prob = _reuse(self, "softmax", tuple(flat.shape))
        return torch.softmax(flat, dim=-1, out=prob)

    def product(self, left: Tensor, right: Tensor) -> Tensor:
        """Return left @ right in the buffer of the scores."""
        shape = (left.shape[0], left.shape[1], right.shape[2])
        return torch.bmm(left, right, out=_reuse(self, "scores", shape))


def _reuse(scratch: _Scratch, name: str, shape: tuple[int, ...]) -> Tensor:
    """Return a view of a buffer, grown when a slice is larger than any before."""
    buffer: Tensor = getattr(scratch, name)
    size = int(torch.Size(shape).numel())
    if buffer.numel() < size:
        buffer = buffer.new_empty(size)
        setattr(scratch, name, buffer)
    return buffer[:size].view(shape)


def plan_chunks(q: Tensor, height: int, width: int) -> Iterator[tuple[slice, slice, slice]]:
    """Cut items and query rows into slices of (items, rows, tokens) within CHUNK_BYTES.

    A slice has many items with all rows, or one item with some rows: always contiguous.
    """
    count, tokens = q.shape[0], height * width
    full = tokens * tokens * q.element_size()
    if full <= CHUNK_BYTES:
        step = CHUNK_BYTES // full
        for start in range(0, count, step):
            yield slice(start, start + step), slice(0, height), slice(0, tokens)
        return
    step = max(1, CHUNK_BYTES // (width * tokens * q.element_size()))
    for item in range(count):
        for row in range(0, height, step):
            stop = min(row + step, height)
            yield slice(item, item + 1), slice(row, stop), slice(row * width, stop * width)


def fold_bias(q: Tensor, k: Tensor, rel_h: Tensor, rel_w: Tensor) -> tuple[Tensor, Tensor]:
    """Return wider queries and keys whose plain product already holds scale and bias."""
    height, width = rel_h.shape[0], rel_w.shape[0]
    by_row, by_column = relative_scores(q, rel_h, rel_w)
    wide_q = torch.cat(
        [q * q.shape[-1] ** -0.5, by_row.flatten(1, 2), by_column.flatten(1, 2)], dim=-1
    )
    row_hot = torch.eye(height, dtype=k.dtype, device=k.device).repeat_interleave(width, 0)
    column_hot = torch.eye(width, dtype=k.dtype, device=k.device).repeat(height, 1)
    hot = torch.cat([row_hot, column_hot], dim=-1).expand(k.shape[0], -1, -1)
    return wide_q, torch.cat([k, hot], dim=-1)


def folded_attention(
    q: Tensor, k: Tensor, v: Tensor, rel_h: Tensor, rel_w: Tensor, *, kernel: Kernel
) -> Tensor:
    """Attend through a fused kernel that needs no mask; fail rather than fall back to `math`."""
    wide_q, wide_k = fold_bias(q, k, rel_h, rel_w)
    channels = v.shape[-1]
    pad = -wide_q.shape[-1] % 8
    wide_q, wide_k = F.pad(wide_q, (0, pad)), F.pad(wide_k, (0, pad))
    backend = SDPBackend.EFFICIENT_ATTENTION
    if kernel == "folded_flash":
        # Flash kernels want one width for queries, keys and values.
        v = F.pad(v, (0, wide_q.shape[-1] - channels))
        backend = SDPBackend.FLASH_ATTENTION
    with sdpa_kernel(backend):
        out = F.scaled_dot_product_attention(wide_q[None], wide_k[None], v[None], scale=1.0)
    return out[0, ..., :channels]
