"""Print the extra memory and the seconds of one encoder pass, measured in a process of its own.

Called as: memory_probe.py ours|reference forward|step WIDTH DEPTH SIDE
"""

import json
import re
import sys
import time
from functools import partial
from pathlib import Path

import torch
from segment_anything.modeling import ImageEncoderViT
from torch import nn

from sam_crack.model.backbones import new_encoder
from sam_crack.model.features import BackboneSpec

STATUS = Path("/proc/self/status")


def resident(key):
    """Bytes from the kernel's own count; `ru_maxrss` would include the parent's peak."""
    return int(re.search(rf"{key}:\s+(\d+) kB", STATUS.read_text())[1]) * 1024


def global_blocks(depth):
    return tuple((quarter * depth + 3) // 4 - 1 for quarter in (1, 2, 3, 4)) if depth > 3 else (0,)


def build(kind, width, depth, side):
    heads = width // 64
    if kind == "ours":
        spec = BackboneSpec(
            family="vit",
            width=width,
            depth=depth,
            num_heads=heads,
            global_blocks=global_blocks(depth),
            base_side=side,
        )
        return new_encoder(spec), r"blocks\.\d+\.attn\.qkv\.[qv]"
    model = ImageEncoderViT(
        img_size=side,
        embed_dim=width,
        depth=depth,
        num_heads=heads,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=14,
        global_attn_indexes=global_blocks(depth),
    )
    return model, r"blocks\.\d+\.attn\.qkv"


def main():
    kind, mode, width, depth, side = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, layers = build(kind, width, depth, side)
    if mode == "step":
        from peft import LoraConfig, inject_adapter_in_model

        # The published projection is one layer, so peft can only adapt q, k and v together.
        model = inject_adapter_in_model(LoraConfig(r=8, target_modules=layers), model)
    pixels = torch.rand(1, 3, side, side)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of building
    before = resident("VmRSS")
    start = time.process_time()
    with torch.set_grad_enabled(mode == "step"):
        out = model(pixels)
        out = out if kind == "reference" else out.embedding
        if mode == "step":
            out.square().mean().backward()
    seconds = time.process_time() - start
    adapted = [name for name, p in model.named_parameters() if p.grad is not None]
    extra = resident("VmHWM") - before
    print(json.dumps({"extra_bytes": extra, "seconds": seconds, "adapted": len(adapted)}))


if __name__ == "__main__":
    main()
