"""The encoders by name: their sizes, how they are built, and SAM's own key names."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sam_crack.config.schema import BackboneConfig
from sam_crack.errors import BadInput, IntegrityError

from .features import BackboneSpec
from .heap import give_large_tensors_pages
from .litemedsam import as_mobile_sam
from .tinyvit import PixelConv, TinyViT
from .tokens import SplitProjection
from .vit import PATCH, PatchEmbed, PlainViT

BACKBONES: dict[str, BackboneSpec] = {
    "tiny": BackboneSpec(
        family="vit",
        width=32,
        depth=2,
        num_heads=2,
        global_blocks=(1,),
        token_window=3,
        base_side=64,
    ),
    "mobile_sam": BackboneSpec(family="tinyvit", width=320, depth=10, num_heads=10),
    "lite_medsam": BackboneSpec(family="tinyvit", width=320, depth=10, num_heads=10),
    "vit_b": BackboneSpec(
        family="vit", width=768, depth=12, num_heads=12, global_blocks=(2, 5, 8, 11)
    ),
    "vit_l": BackboneSpec(
        family="vit", width=1024, depth=24, num_heads=16, global_blocks=(5, 11, 17, 23)
    ),
    "vit_h": BackboneSpec(
        family="vit", width=1280, depth=32, num_heads=16, global_blocks=(7, 15, 23, 31)
    ),
}

PREFIX = "image_encoder."
# Left over from TinyViT's classification training; kept aside for a file that others can load.
UNUSED = (f"{PREFIX}norm_head.", f"{PREFIX}head.")
# MobileSAM's names to ours; the order matters, the last downsampling of a stage opens our next.
TINYVIT_NAMES = (
    ("patch_embed.seq.0.", "patch_embed.conv1."),
    ("patch_embed.seq.2.", "patch_embed.conv2."),
    *((f"layers.{stage}.downsample.", f"stages.{stage + 1}.downsample.") for stage in range(3)),
    *((f"layers.{stage}.", f"stages.{stage}.") for stage in range(4)),
)


def build_encoder(
    config: BackboneConfig,
    *,
    window: tuple[int, int],
    state: Mapping[str, Tensor] | None = None,
) -> PlainViT | TinyViT:
    """Build an encoder and load the encoder part of an official SAM or MobileSAM state.

    Args:
        config: Which encoder, and its number format.
        window: Height and width that it will see; checked here, free to differ later.
        state: All tensors of the official file; None leaves weights from a fixed seed.
    """
    if any(side % PATCH or side < 2 * PATCH for side in window):
        raise BadInput(
            f"a window of {window[0]} x {window[1]} pixels",
            f"both sides must be multiples of {PATCH}, at least {2 * PATCH}",
            "choose another model.window",
        )
    encoder = new_encoder(BACKBONES[config.name])
    if state is not None:
        load_encoder(encoder, state, name=config.name)
    if config.precision == "bf16":
        store_bf16(encoder)
    return encoder.eval()


def new_encoder(spec: BackboneSpec, *, seed: int = 0) -> PlainViT | TinyViT:
    """Build an encoder with weights drawn from a seed; the caller's random state stays."""
    give_large_tensors_pages()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TinyViT(spec) if spec.family == "tinyvit" else PlainViT(spec)


def load_encoder(encoder: nn.Module, state: Mapping[str, Tensor], *, name: str) -> None:
    """Load an official state, or say which tensors are missing, extra or of another shape."""
    if name == "lite_medsam":
        state = as_mobile_sam(state)
    given = from_sam_state(encoder, state)
    wanted = encoder.state_dict()
    problems = [f"{key} is missing" for key in wanted if key not in given]
    problems += [f"{key} is not part of {name}" for key in given if key not in wanted]
    problems += [
        f"{key} is {tuple(given[key].shape)} instead of {tuple(wanted[key].shape)}"
        for key in wanted
        if key in given and given[key].shape != wanted[key].shape
    ]
    if problems:
        more = f" and {len(problems) - 8} more" if len(problems) > 8 else ""
        raise IntegrityError(
            f"weights do not fit the encoder {name}: {', '.join(problems[:8])}{more}",
            f"a state with the {len(wanted)} tensors of {name}",
            "check model.backbone.name against the file",
        )
    encoder.load_state_dict(given)
    if isinstance(encoder, TinyViT):
        encoder.unused = {key: state[key] for key in state if key.startswith(UNUSED)}


def from_sam_state(encoder: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Take the encoder's tensors out of an official state, under our names."""
    given: dict[str, Tensor] = {}
    tiny = isinstance(encoder, TinyViT)
    for key, tensor in state.items():
        inner = key.removeprefix(PREFIX)
        if inner != key and not (tiny and key.startswith(UNUSED)):
            given[_our_name(inner) if tiny else inner] = tensor
    for name, split in _projections(encoder):
        for kind in ("weight", "bias"):
            fused = given.pop(f"{name}.{kind}", None)
            if fused is None:
                continue
            for letter, part in zip("qkv", split.split(fused), strict=True):
                given[f"{name}.{letter}.{kind}"] = part
    return given


def encoder_to_sam_state(encoder: nn.Module) -> dict[str, Tensor]:
    """Return the encoder's tensors under official names and in official shapes, in fp32."""
    ours = encoder.state_dict()
    for name, split in _projections(encoder):
        for kind in ("weight", "bias"):
            q, k, v = (ours.pop(f"{name}.{letter}.{kind}") for letter in "qkv")
            ours[f"{name}.{kind}"] = split.fuse((q, k, v))
    tiny = isinstance(encoder, TinyViT)
    named = {PREFIX + (_their_name(key) if tiny else key): part for key, part in ours.items()}
    if isinstance(encoder, TinyViT):
        named |= encoder.unused
    return {
        key: tensor.detach().to(
            torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True
        )
        for key, tensor in named.items()
    }


def store_bf16(encoder: nn.Module) -> None:
    """Keep the weights of layers in bf16; norms, position tables and the pixel layer stay fp32."""
    kept = {id(module.proj) for module in encoder.modules() if isinstance(module, PatchEmbed)}
    kept |= {id(module.conv) for module in encoder.modules() if isinstance(module, PixelConv)}
    for module in encoder.modules():
        if isinstance(module, nn.Linear | nn.Conv2d) and id(module) not in kept:
            module.to(torch.bfloat16)


def _projections(encoder: nn.Module) -> list[tuple[str, SplitProjection]]:
    return [
        (name, module)
        for name, module in encoder.named_modules()
        if isinstance(module, SplitProjection)
    ]


def _our_name(key: str) -> str:
    key = key.replace(".c.", ".conv.")
    for theirs, ours in TINYVIT_NAMES:
        if key.startswith(theirs):
            return ours + key.removeprefix(theirs)
    return key


def _their_name(key: str) -> str:
    key = key.replace(".conv.", ".c.")
    for theirs, ours in TINYVIT_NAMES:
        if key.startswith(ours):
            return theirs + key.removeprefix(ours)
    return key
