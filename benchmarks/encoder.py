"""SAM's encoders against segment_anything and timm: time in turns, memory in fresh processes.

    python benchmarks/encoder.py [--depth 12]

ViT-B at 1024 px in fp32 on one thread, forward and one LoRA step; MobileSAM's TinyViT at 1024 px.
Parity is asserted before ViT-B is timed. Weights are random: nothing here depends on them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import timm
import torch
from paired import Ratio, paired
from segment_anything.modeling import ImageEncoderViT
from torch import Tensor, nn

from sam_crack.config.schema import BackboneConfig
from sam_crack.model.backbones import build_encoder

PROBE = Path(__file__).parents[1] / "tests" / "model" / "memory_probe.py"
Way = Callable[[], Tensor]
SIDE = 1024
MEAN = torch.tensor([123.675, 116.28, 103.53])[:, None, None]
DEVIATION = torch.tensor([58.395, 57.12, 57.375])[:, None, None]


def vit_b_time(rounds: int) -> Ratio:
    """Our ViT-B, from uint8 pixels, against segment_anything's, normalisation included."""
    reference = ImageEncoderViT(
        img_size=SIDE,
        embed_dim=768,
        depth=12,
        num_heads=12,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=14,
        global_attn_indexes=(2, 5, 8, 11),
    ).eval()
    state = {f"image_encoder.{name}": value for name, value in reference.state_dict().items()}
    ours = build_encoder(BackboneConfig(name="vit_b"), window=(SIDE, SIDE), state=state)
    pixels = torch.randint(0, 256, (1, 3, SIDE, SIDE), dtype=torch.uint8)
    return _compare(
        lambda: ours(pixels).embedding, lambda: reference((pixels - MEAN) / DEVIATION), rounds
    )


def tiny_vit_time(rounds: int) -> Ratio:
    """Our TinyViT with SAM's neck against timm's own trunk, both at stride 16 to the end."""
    ours = build_encoder(BackboneConfig(name="mobile_sam", pretrained=False), window=(SIDE, SIDE))
    plain = timm.create_model("tiny_vit_5m_224").eval()
    plain.stages[3].downsample.conv2.conv.stride = (1, 1)
    pixels = torch.randint(0, 256, (1, 3, SIDE, SIDE), dtype=torch.uint8)
    return paired(
        _without_grad(lambda: ours(pixels).embedding),
        _without_grad(lambda: plain.forward_features((pixels - MEAN) / DEVIATION)),
        rounds=rounds,
    )


def _compare(ours: Way, reference: Way, rounds: int) -> Ratio:
    ours, reference = _without_grad(ours), _without_grad(reference)
    expected = reference()
    error = (ours() - expected).norm() / expected.norm()
    if error > 1e-5:
        raise SystemExit(f"the two differ by {error:.1e}: nothing is timed")
    return paired(ours, reference, rounds=rounds)


def _without_grad(way: Way) -> Way:
    return torch.inference_mode()(way)


def memory_ratio(mode: str, depth: int) -> dict[str, float]:
    """Extra megabytes of one pass in a fresh process, ours and theirs, and how many times less."""
    extra = {}
    for kind in ("ours", "reference"):
        words = [sys.executable, str(PROBE), kind, mode, "768", str(depth), str(SIDE)]
        answer = json.loads(subprocess.check_output(words, text=True).splitlines()[-1])
        extra[kind] = answer["extra_bytes"] / 1e6
    return {**extra, "times_less": extra["reference"] / extra["ours"]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--depth", type=int, default=12, help="blocks in the memory passes")
    parser.add_argument("--rounds", type=int, default=3, help="how often the ways take turns")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print("ViT-B 1024 fp32, segment_anything takes", vit_b_time(options.rounds))
    print("TinyViT 1024 fp32, timm takes", tiny_vit_time(options.rounds))
    for mode in ("forward", "step"):
        found = memory_ratio(mode, options.depth)
        print(f"ViT-B {mode}, extra MB:", {name: round(value, 1) for name, value in found.items()})
