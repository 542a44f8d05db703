"""Base SAM asked for thin dark things, without learning anything: what its masks are worth here.

Every window is prompted at places chosen by a fixed rule. Of the three masks that SAM answers to a
prompt, those are kept that are mostly thin and darker than what lies around them; a pixel's
probability is the highest `sigmoid(mask) x predicted IoU` of the kept ones. Which places are
prompted, and the threshold, are chosen on validation frames.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, assert_never

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sam_crack import durable
from sam_crack.config.fields import Range
from sam_crack.config.load import overlay_of
from sam_crack.config.schema import AdapterConfig, HeadConfig, ModelConfig
from sam_crack.config.trees import as_written, load_tree
from sam_crack.errors import IntegrityError, UsageError
from sam_crack.model.description import IN_RUN, CheckpointMeta, meta_to_json
from sam_crack.model.segmenter import Segmenter, build_segmenter
from sam_crack.model.trained_scale import read_trained_scale

DESCRIPTION, FORMAT = "zero_shot.json", "sam-crack zero-shot 1"
STRIDE = 4
"""Pixels per logit of SAM's decoder."""
PER_PASS = 32
"""Prompts that pass the decoder together."""
MOSTLY = 0.5
"""Share of a mask that has to be thin."""
NEIGHBOURHOOD_PX, NOISE = 65, 4.0
"""Over how much the surroundings are judged; grey levels by which an even surface varies."""
FAINT = 1e-4
"""Probability where no mask was kept."""


@dataclass(frozen=True, kw_only=True)
class ZeroShotConfig:
    """How base SAM is asked."""

    prompts: Literal["grid", "ridge", "line"] = "ridge"
    """grid: evenly spread points, each for itself; ridge: the thinnest dark places, each for
    itself; line: the same places together, as points of one object."""
    points: Annotated[int, Range(1, 256)] = 16
    """Points per window."""
    top: Annotated[float, Range(0, 0.95)] = 0.0
    """Share of the window's height, from above, where nothing is asked: sky and trees."""
    width_px: Annotated[int, Range(2, 256)] = 12
    """What is broader is no crack."""
    darker: Annotated[float, Range(0, 255)] = 0.0
    """A mask has to be darker than what lies around it by more than so many grey levels."""


class ZeroShot(nn.Module):
    """The same face as a segmenter: pixels 0-255 to logits; nothing learns."""

    stride = STRIDE

    def __init__(self, config: ModelConfig, asked: ZeroShotConfig) -> None:
        super().__init__()
        if config.head.num_classes != 1:
            raise UsageError(
                f"zero_shot with {config.head.num_classes} classes",
                "SAM's masks have no class: one foreground class",
                "set data.classes to a single one",
            )
        bare = AdapterConfig(method="head_only")
        self.config = replace(config, adapter=bare, head=HeadConfig(kind="sam"))
        self.asked, self.num_logits = asked, 1
        self.sam: Segmenter = build_segmenter(self.config).requires_grad_(False).eval()

    def forward(self, pixels: Tensor) -> Tensor:
        """Return fp32 logits (b, 1, h/4, w/4) of pixels (b, 3, h, w), 0-255."""
        grey = pixels.float().mean(1, keepdim=True)
        embeddings = self.sam.encoder(pixels).embedding
        places = self.places(grey)
        found = [
            self._look(embeddings[number : number + 1], grey[number : number + 1], places[number])
            for number in range(len(pixels))
        ]
        return torch.logit(torch.stack(found)[:, None].clamp(FAINT, 1 - FAINT))

    def places(self, grey: Tensor) -> Tensor:
        """Return the prompted places (b, prompts, points, 2) as (y, x) in pixels."""
        count, first = self.asked.points, int(self.asked.top * grey.shape[-2])
        match self.asked.prompts:
            case "grid":
                return spread_places(grey, count, first=first)[:, :, None]
            case "ridge":
                return dark_places(grey, count, self.asked.width_px, first=first)[:, :, None]
            case "line":
                return dark_places(grey, count, self.asked.width_px, first=first)[:, None]
            case never:
                assert_never(never)

    def _look(self, embedding: Tensor, grey: Tensor, places: Tensor) -> Tensor:
        """Return the probability (h/4, w/4) of one window."""
        small = F.avg_pool2d(grey, STRIDE)
        best = small.new_zeros(small.shape[-2:])
        for first in range(0, len(places), PER_PASS):
            part = places[first : first + PER_PASS]
            labels = torch.ones(part.shape[:2], device=part.device)
            several = embedding.expand(len(part), -1, -1, -1)
            masks, iou = self.sam.prompts(several, points=part, labels=labels)
            kept = thin_and_dark(masks, small, self.asked)
            prob = masks.sigmoid() * (iou.clamp(0, 1) * kept)[..., None, None]
            best = torch.maximum(best, prob.flatten(0, 1).amax(0))
        return best

    def trainable(self) -> dict[str, list[nn.Parameter]]:
        """Nothing learns."""
        return {}


def spread_places(grey: Tensor, count: int, *, first: int = 0) -> Tensor:
    """Return about so many evenly spread places (b, n, 2), from row `first` on."""
    batch, _, height, width = grey.shape
    height -= first
    rows = max(1, round((count * height / width) ** 0.5))
    columns = max(1, round(count / rows))
    y = first + (torch.arange(rows, device=grey.device) + 0.5) * height / rows
    x = (torch.arange(columns, device=grey.device) + 0.5) * width / columns
    return torch.cartesian_prod(y, x).reshape(1, -1, 2).expand(batch, -1, -1)


def dark_places(grey: Tensor, count: int, width_px: int, *, first: int = 0) -> Tensor:
    """Return the places (b, n, 2) of the thin dark things that stand out most from around them.

    How dark is the black top-hat: a closing broader than `width_px` less the picture. What counts
    is by how much it exceeds its mean around, against how much the picture varies there; or every
    place would lie in trees and grass.
    """
    side, around = 2 * width_px + 1, NEIGHBOURHOOD_PX
    closed = -_largest(-_largest(grey, side), side)
    depth = _mean(closed - grey, 5)
    varies = (_mean(grey.square(), around) - _mean(grey, around).square()).clamp(min=0).sqrt()
    depth = (depth - _mean(depth, around)) / (varies + NOISE)
    peaks = depth * (depth == _largest(depth, side))
    peaks[..., :first, :] = -torch.inf
    peaks = peaks.flatten(1)
    best = peaks.topk(min(count, peaks.shape[1]), dim=1).indices
    width = grey.shape[-1]
    return torch.stack((best // width, best % width), dim=-1).float()


def thin_and_dark(masks: Tensor, grey: Tensor, asked: ZeroShotConfig) -> Tensor:
    """Say which masks (n, 3, h, w) of a window look like cracks, as (n, 3) of 0 and 1.

    Thin is what an opening takes away; dark is what is darker than the ring around it.
    """
    side = 2 * -(-asked.width_px // (2 * STRIDE)) + 1
    inside = (masks > 0).to(grey.dtype)
    opened = _largest(-_largest(-inside, side), side)
    area = inside.sum((-2, -1))
    thin = (inside - opened).sum((-2, -1)) >= MOSTLY * area
    ring = _largest(inside, side) - inside
    around = (ring * grey).sum((-2, -1)) / ring.sum((-2, -1)).clamp(min=1)
    level = (inside * grey).sum((-2, -1)) / area.clamp(min=1)
    return ((area > 0) & thin & (around - level > asked.darker)).to(grey.dtype)


def _mean(field: Tensor, side: int) -> Tensor:
    """Mean over what of a square lies inside; rows first, then columns, for speed."""
    down = F.avg_pool2d(field, (side, 1), 1, (side // 2, 0), count_include_pad=False)
    return F.avg_pool2d(down, (1, side), 1, (0, side // 2), count_include_pad=False)


def _largest(field: Tensor, side: int) -> Tensor:
    """Largest value over a square; rows first, then columns."""
    down = F.max_pool2d(field, (side, 1), 1, (side // 2, 0))
    return F.max_pool2d(down, (1, side), 1, (0, side // 2))


def save_zero_shot(model: ZeroShot, folder: Path, meta: CheckpointMeta) -> None:
    """Write the rule and its threshold; the weights are SAM's own, named by their fingerprint."""
    with durable.new_folder(folder) as aside:
        body = {
            "format": FORMAT,
            "zero_shot": overlay_of(model.asked),
            "config": overlay_of(model.config),
            "base_sha256": model.sam.base_sha256,
            "meta": meta_to_json(meta),
        }
        (aside / DESCRIPTION).write_text(json.dumps(body, indent=1))


def is_zero_shot(run: Path) -> bool:
    """Whether a folder, or the run in it, holds a way to ask base SAM."""
    return any((folder / DESCRIPTION).exists() for folder in (run, run / IN_RUN))


def load_zero_shot(
    run: Path, *, device: torch.device | str = "cpu"
) -> tuple[ZeroShot, CheckpointMeta]:
    """Read what `save_zero_shot` wrote; other base weights are refused."""
    folder = run if (run / DESCRIPTION).exists() else run / IN_RUN
    try:
        body: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text("utf-8"))
        if body["format"] != FORMAT:
            raise ValueError(f"format {body['format']!r}")
        given, place = body["meta"], str(folder / DESCRIPTION)
        scale = read_trained_scale(given["scale"])
        meta = CheckpointMeta(**{**given, "classes": tuple(given["classes"]), "scale": scale})
        asked = load_tree(ZeroShotConfig, as_written(body["zero_shot"]), place)
        config = load_tree(ModelConfig, as_written(body["config"]), place)
        model = ZeroShot(config, asked)
        if model.sam.base_sha256 != body["base_sha256"]:
            raise ValueError("the base weights are others")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"{folder}: {error}", "a rule as the comparison wrote it", "score this row again"
        ) from error
    return model.eval().to(device), meta
