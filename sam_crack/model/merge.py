"""A tuned model in one file without adapters: plain SAM as .pth, with its head as .safetensors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from sam_crack import durable
from sam_crack.config.verbs import MergeOptions
from sam_crack.console import Console
from sam_crack.errors import UsageError
from sam_crack.model.backbones import build_encoder, encoder_to_sam_state
from sam_crack.model.checkpoint import load_checkpoint
from sam_crack.model.description import find_checkpoint, read_config, read_description
from sam_crack.model.heads import SamHead
from sam_crack.model.merged import HEAD, describe, head_state
from sam_crack.model.segmenter import Segmenter

SUFFIXES = (".pth", ".safetensors")
DECODER = "mask_decoder."


def run_merge(options: MergeOptions, console: Console) -> dict[str, object]:
    """Fold a checkpoint's adapters into base SAM and write one file with SAM's own names."""
    if options.out.suffix not in SUFFIXES:
        raise UsageError(
            f"--out {options.out}",
            "the suffix chooses the format: .pth for segment_anything, .safetensors for predict",
            f"use {options.out.with_suffix('.pth').name}",
        )
    if options.out.exists() and not options.overwrite:
        raise UsageError(
            f"--out {options.out}: exists", "a new file", "choose another name, or --overwrite"
        )
    folder = find_checkpoint(options.run)
    config = read_config(folder, read_description(folder))
    base: Mapping[str, Tensor] | None = None
    if config.backbone.pretrained:
        from sam_crack.weights.base import load_base

        base, _ = load_base(config.backbone.name)
    segmenter, meta = load_checkpoint(folder, state=base)
    merged = merged_sam_state(segmenter, base=base)
    header: dict[str, str] = {}
    kept = head_note(segmenter)
    if options.out.suffix == ".safetensors":
        merged |= head_state(segmenter)
        header = describe(segmenter, meta, merged)
        kept += f" It lies beside SAM's tensors as {HEAD}*: `sam-crack predict` takes this file."
    write_state(options.out, merged, header)
    console.say(f"{len(merged)} tensors of {config.backbone.name} in {options.out}")
    console.say(kept)
    return {
        "file": str(options.out),
        "backbone": config.backbone.name,
        "tensors": len(merged),
        "bytes": options.out.stat().st_size,
        "sha256": durable.sha256(options.out),
        "decoder": kept,
    }


def merged_sam_state(
    segmenter: Segmenter, *, base: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """Return a full SAM state: tuned encoder, and the tuned decoder where SAM has a place for it.

    Args:
        segmenter: the tuned model.
        base: the state it was built on; tensors that no model here uses are taken from it.
    """
    config = segmenter.config
    plain = build_encoder(config.backbone, window=config.window)
    plain.load_state_dict(segmenter.adapted.merged_state())
    state = dict(base or {}) | segmenter.prompts.state_dict() | encoder_to_sam_state(plain)
    if fits_sam(segmenter):
        state |= decoder_to_sam_state(segmenter.head)  # type: ignore[arg-type]
    return {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}


def fits_sam(segmenter: Segmenter) -> bool:
    """Whether the head is SAM's decoder with one class and nothing beside it."""
    return segmenter.config.head.kind == "sam" and segmenter.num_logits == 1


def head_note(segmenter: Segmenter) -> str:
    """Say what the file's mask decoder is."""
    if fits_sam(segmenter):
        return "The mask decoder is the tuned one: without a prompt, its single mask is the class."
    head = segmenter.config.head
    return (
        f"The mask decoder is base SAM's: a {head.kind} head with {segmenter.num_logits} logits "
        "has no place among SAM's tensors."
    )


def decoder_to_sam_state(head: SamHead) -> dict[str, Tensor]:
    """Return the tuned decoder under SAM's names; it answers as the single mask, token 0."""
    state: dict[str, Tensor] = {}
    for ours, theirs in (
        ("transformer", f"{DECODER}transformer"),
        ("upscale", f"{DECODER}output_upscaling"),
        ("hypernetworks.0", f"{DECODER}output_hypernetworks_mlps.0"),
    ):
        for name, tensor in head.get_submodule(ours).state_dict().items():
            state[f"{theirs}.{name}"] = tensor
    state[f"{DECODER}iou_token.weight"] = head.tokens[:1]
    state[f"{DECODER}mask_tokens.weight"] = head.tokens[1:]
    state["prompt_encoder.no_mask_embed.weight"] = head.prompt
    return state


def write_state(path: Path, state: Mapping[str, Tensor], header: Mapping[str, str]) -> None:
    """Write tensors in the format of the suffix; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    try:
        if path.suffix == ".pth":
            torch.save(dict(state), aside)
        else:
            save_file(dict(state), aside, metadata=dict(header))
        aside.chmod(0o644)  # safetensors keeps files to their owner
        durable.sync(aside)
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    durable.sync(path.parent)
