"""Models without SAM, trained and scored by the same code: what SAM has to beat."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sam_crack import durable
from sam_crack.adapt.store import read_tensors, write_tensors
from sam_crack.config.schema import ModelConfig
from sam_crack.config.trees import as_written, load_tree
from sam_crack.config.values import plain
from sam_crack.errors import BadInput, IntegrityError, UsageError
from sam_crack.model.description import IN_RUN, CheckpointMeta, meta_to_json
from sam_crack.model.heads import count_logits
from sam_crack.model.trained_scale import read_trained_scale
from sam_crack.studies.imagenet import ENCODER, load_imagenet

DESCRIPTION, WEIGHTS = "opponent.json", "opponent.safetensors"
FORMAT = "sam-crack opponent 1"
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
ALIGN = 32
"""These encoders halve five times."""


@dataclass(frozen=True, kw_only=True)
class OpponentConfig:
    """A model of segmentation-models-pytorch."""

    arch: Literal["unet", "deeplabv3plus", "segformer"] = "unet"
    """Which decoder."""
    encoder: str = ENCODER
    """Which encoder, as segmentation-models-pytorch names it."""
    imagenet: bool = False
    """Begin with ImageNet weights, which are fetched once; for EfficientNet-Lite0 alone."""
    weights: Path | None = None
    """Other weights of the encoder, a .pth of tensors; with neither they are random."""
    deep_supervision: bool = False
    """Teach the inner levels of the decoder too, each at half the weight of the next finer one, as
    nnU-Net does; for unet alone."""

    def __post_init__(self) -> None:
        """Refuse weights that cannot be had, and levels that are not there."""
        if self.deep_supervision and self.arch != "unet":
            raise UsageError(
                f"opponent: deep_supervision of {self.arch}",
                "unet, whose decoder has a level for every halving",
                "leave it out",
            )
        if self.imagenet and self.encoder != ENCODER:
            raise UsageError(
                f"opponent: imagenet weights of {self.encoder}",
                f"they can be fetched for {ENCODER}",
                "name a file with `weights`",
            )


def check_opponent(opponent: OpponentConfig, place: str) -> None:
    """Refuse what cannot be built, before anything is trained; a file of weights must be there.

    Without the library nothing is said: rows that need it say so when it is their turn.
    """
    if opponent.weights is not None and not opponent.weights.is_file():
        raise BadInput(
            f"{place}: weights {opponent.weights}", "a .pth of tensors", "check the path"
        )
    if importlib.util.find_spec("segmentation_models_pytorch") is None:
        return
    try:
        _build(dataclasses.replace(opponent, weights=None), 1)
    except UsageError as error:
        raise UsageError(f"{place}: {error.given}", error.accepted, error.todo) from error


class Untouched:
    """What stands where SAM's adapters stand: nothing is added; running means are kept."""

    def __init__(self, net: nn.Module) -> None:
        self._net = net

    def after_step(self, step: int) -> None:
        """Do nothing."""

    def penalty(self) -> None:
        """Add nothing to the loss."""

    def schedule_state(self) -> dict[str, Tensor]:
        """Return what changes without being learnt, such as the means of batch norms."""
        return {name: buffer.detach().clone() for name, buffer in self._net.named_buffers()}

    def load_schedule_state(self, state: Mapping[str, Tensor]) -> None:
        """Put it back."""
        with torch.no_grad():
            for name, buffer in self._net.named_buffers():
                buffer.copy_(state[name])


class InnerLevels(nn.Module):
    """Logits of a U-Net's inner levels, which learn and are left behind after training.

    nnU-Net (Isensee 2021) teaches all levels but the two coarsest; here those are the bottleneck
    and the first block of the decoder.
    """

    def __init__(self, net: Any, num_logits: int) -> None:  # noqa: ANN401 - untyped library
        super().__init__()
        blocks = list(net.decoder.blocks)[1:-1]
        widths = [block.conv2[0].out_channels for block in blocks]
        self.logits = nn.ModuleList(nn.Conv2d(width, num_logits, 1) for width in widths)

    def forward(self, net: Any, pixels: Tensor) -> list[Tensor]:  # noqa: ANN401 - untyped library
        """Return logits at the size of the pixels: the net's own, then the levels, finest first."""
        seen: list[Tensor] = []
        blocks = list(net.decoder.blocks)[1:-1]
        hooks = [
            block.register_forward_hook(lambda *call: seen.append(call[-1])) for block in blocks
        ]
        try:
            final: Tensor = net(pixels)
        finally:
            for hook in hooks:
                hook.remove()
        inner = [logits(level) for logits, level in zip(self.logits, seen, strict=True)]
        size = (pixels.shape[-2], pixels.shape[-1])
        return [final, *(F.interpolate(each, size, mode="bilinear") for each in inner[::-1])]


class Opponent(nn.Module):
    """The same face as a segmenter: pixels 0-255 to logits, and groups of what learns."""

    stride = 1
    mean: Tensor
    std: Tensor
    net: Any

    def __init__(self, config: ModelConfig, opponent: OpponentConfig) -> None:
        super().__init__()
        self.config, self.opponent = config, opponent
        self.num_logits = count_logits(config.head)
        self.net = _build(opponent, self.num_logits)
        self.levels = InnerLevels(self.net, self.num_logits) if opponent.deep_supervision else None
        self.adapted = Untouched(self.net)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return fp32 logits (b, num_logits, h, w) of pixels (b, 3, h, w), 0-255.

        In training with deep supervision, those of the inner levels follow, finest first.
        """
        height, width = pixels.shape[-2:]
        below, right = -height % ALIGN, -width % ALIGN
        inputs = (pixels.float() - self.mean) / self.std
        padded = F.pad(inputs, (0, right, 0, below), mode="replicate")
        padded = padded.contiguous(memory_format=torch.channels_last)  # a quarter faster on a CPU
        if self.levels is None or not self.training:
            logits: Tensor = self.net(padded)
            return logits[..., :height, :width].float()
        return tuple(each[..., :height, :width].float() for each in self.levels(self.net, padded))

    def trainable(self) -> dict[str, list[nn.Parameter]]:
        """Everything learns: the encoder at the adapters' rate, the decoder at the head's."""
        groups: dict[str, list[nn.Parameter]] = {"adapters": [], "head": [], "norms": []}
        for name, parameter in self.named_parameters():
            part = "adapters" if name.startswith("net.encoder.") else "head"
            groups["norms" if parameter.ndim <= 1 else part].append(parameter)
        return groups


def _build(opponent: OpponentConfig, num_logits: int) -> Any:  # noqa: ANN401 - untyped library
    """Build the network; the library is an extra."""
    try:
        import segmentation_models_pytorch as smp
    except ImportError as error:
        raise UsageError(
            "segmentation-models-pytorch is not installed",
            "the extra `compare` brings it",
            'pip install "sam-crack[compare]"',
        ) from error
    kinds: dict[str, Any] = {
        "unet": smp.Unet,
        "deeplabv3plus": smp.DeepLabV3Plus,
        "segformer": smp.Segformer,
    }
    try:
        net = kinds[opponent.arch](opponent.encoder, encoder_weights=None, classes=num_logits)
    except (KeyError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"encoder {opponent.encoder!r} of {opponent.arch}: {str(error)[:120]}",
            "an encoder of segmentation-models-pytorch; `tu-` before a name of timm",
            "use tu-tf_efficientnet_lite0 or resnet18",
        ) from error
    if opponent.weights is not None:
        load_imagenet(net, opponent.encoder, opponent.weights)
    return net


def save_opponent(model: Opponent, folder: Path, meta: CheckpointMeta) -> None:
    """Write weights and description; the folder appears whole or not at all."""
    with durable.new_folder(folder) as aside:
        write_tensors(aside / WEIGHTS, model.net.state_dict())
        body = {
            "format": FORMAT,
            "opponent": {**asdict(model.opponent), "weights": None},
            "config": plain(model.config),
            "meta": meta_to_json(meta),
            "sha256": durable.sha256(aside / WEIGHTS),
        }
        (aside / DESCRIPTION).write_text(json.dumps(body, indent=1))


def is_opponent(run: Path) -> bool:
    """Whether a folder, or the run in it, holds a model without SAM."""
    return any((folder / DESCRIPTION).exists() for folder in (run, run / IN_RUN))


def load_opponent(
    run: Path, *, device: torch.device | str = "cpu"
) -> tuple[Opponent, CheckpointMeta]:
    """Read what `save_opponent` wrote; a changed file is refused."""
    folder = run if (run / DESCRIPTION).exists() else run / IN_RUN
    try:
        body = json.loads((folder / DESCRIPTION).read_text("utf-8"))
        if body["format"] != FORMAT or body["sha256"] != durable.sha256(folder / WEIGHTS):
            raise ValueError("the weights are not those that were described")
        given = body["meta"]
        scale = read_trained_scale(given["scale"])
        meta = CheckpointMeta(**{**given, "classes": tuple(given["classes"]), "scale": scale})
        opponent = OpponentConfig(**body["opponent"])
        config = load_tree(ModelConfig, as_written(body["config"]), str(folder / DESCRIPTION))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"{folder}: {error}", "a model as the comparison wrote it", "train this row again"
        ) from error
    model = Opponent(config, opponent)
    model.net.load_state_dict(read_tensors(folder / WEIGHTS, model.net.state_dict()))
    return model.eval().to(device), meta
