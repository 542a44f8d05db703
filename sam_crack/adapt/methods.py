"""Every adapter method: what it does, what it listens to, whether it folds into the base."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sam_crack.config.schema import AdapterMethod

ATTENTION = ("q", "v")  # better than q,k,v,proj on unseen crack sets (CrackSAM)


@dataclass(frozen=True, kw_only=True)
class MethodSpec:
    """One row of `sam-crack adapters`."""

    summary: str
    """What is trained, in one line."""
    settings: frozenset[str]
    """Fields of `AdapterConfig` that change something; any other one warns when it is set."""
    targets: tuple[str, ...] = ()
    """Default targets, for methods that adapt single layers."""
    mergeable: bool
    """Whether the trained encoder can be written as a plain one, at no cost in inference."""
    limits: Mapping[str, str] = field(default_factory=dict)
    """What is different on some kind of encoder; every method works on plain ViT and TinyViT."""
    paper: str
    """Where it comes from."""


_LAYERS = frozenset({"blocks", "targets", "rank", "alpha"})

METHODS: dict[AdapterMethod, MethodSpec] = {
    "lora": MethodSpec(
        summary="low-rank update of linear layers",
        settings=_LAYERS | {"dropout"},
        targets=ATTENTION,
        mergeable=True,
        paper="Hu 2021, arXiv 2106.09685",
    ),
    "dora": MethodSpec(
        summary="low-rank update of direction, plus a learned magnitude per output",
        settings=_LAYERS | {"dropout"},
        targets=ATTENTION,
        mergeable=True,
        paper="Liu 2024, arXiv 2402.09353",
    ),
    "adalora": MethodSpec(
        summary="singular-value update whose rank is shared out during training",
        settings=_LAYERS | {"dropout"},
        targets=ATTENTION,
        mergeable=True,
        paper="Zhang 2023, arXiv 2303.10512",
    ),
    "loha": MethodSpec(
        summary="update as an element-wise product of two low-rank matrices",
        settings=_LAYERS,
        targets=ATTENTION,
        mergeable=True,
        paper="Hyeon-Woo 2022, arXiv 2108.06098",
    ),
    "lokr": MethodSpec(
        summary="update as a Kronecker product of small matrices",
        settings=_LAYERS,
        targets=ATTENTION,
        mergeable=True,
        paper="Yeh 2024, arXiv 2309.14859",
    ),
    "conv_lora": MethodSpec(
        summary="low-rank update with multi-scale convolutions inside",
        settings=_LAYERS | {"dropout"},
        targets=ATTENTION,
        mergeable=False,
        paper="Zhong 2024, arXiv 2401.17868",
    ),
    "bottleneck": MethodSpec(
        summary="small MLPs after the attention and beside the MLP of each block",
        settings=frozenset({"blocks", "width", "dropout"}),
        mergeable=False,
        paper="Ge 2024 (CrackSAM), arXiv 2312.04233",
    ),
    "two_level": MethodSpec(
        summary="small MLPs inside and around each block, plus a fusion of all block outputs",
        settings=frozenset({"blocks", "width", "dropout"}),
        mergeable=False,
        limits={"tinyvit": "only blocks as wide as the last one are fused"},
        paper="SACM, CVPR 2026",
    ),
    "norm": MethodSpec(
        summary="the scale and shift of every LayerNorm, neck included",
        settings=frozenset({"blocks"}),
        mergeable=True,
        limits={"tinyvit": "batch norms of its convolutional part stay frozen"},
        paper="Rostami 2025 (Segment Any Crack), arXiv 2504.14138",
    ),
    "bias": MethodSpec(
        summary="every bias",
        settings=frozenset({"blocks"}),
        mergeable=True,
        paper="Ben Zaken 2022 (BitFit), arXiv 2106.10199",
    ),
    "head_only": MethodSpec(
        summary="nothing in the encoder; only the head learns",
        settings=frozenset(),
        mergeable=True,
        paper="",
    ),
    "full": MethodSpec(
        summary="every weight of the encoder; batch statistics stay as they are",
        settings=frozenset(),
        mergeable=True,
        paper="",
    ),
}
