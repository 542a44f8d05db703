"""Every setting of training and inference. The docstring under a field is its `--help`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from sam_crack.config.fields import HIGHEST_SCALE, LOWEST_SCALE, Range, need_patches, need_span
from sam_crack.errors import UsageError

BackboneName = Literal["tiny", "mobile_sam", "lite_medsam", "vit_b", "vit_l", "vit_h"]
AdapterMethod = Literal[
    "lora",
    "dora",
    "adalora",
    "loha",
    "lokr",
    "conv_lora",
    "bottleneck",
    "two_level",
    "norm",
    "bias",
    "head_only",
    "full",
]
Target = Literal["q", "k", "v", "qkv", "proj", "mlp"]
HeadKind = Literal["pyramid", "sam", "hires"]


@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """The frozen SAM image encoder."""

    name: BackboneName = "mobile_sam"
    """Which SAM. Example: vit_b."""
    pretrained: bool = True
    """Load the published weights; false gives random ones, for tests and sizing only."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Number format of the frozen weights; adapters and head stay fp32."""


@dataclass(frozen=True, kw_only=True)
class AdapterConfig:
    """What is added to the frozen encoder, and where."""

    method: AdapterMethod = "lora"
    """How domain knowledge enters. `sam-crack adapters` compares them."""
    blocks: Literal["all", "late_half"] | tuple[int, ...] = "all"
    """Which encoder blocks are adapted, counted from 0 at the shallow end. Example: 8,9,10,11."""
    targets: tuple[Target, ...] = ()
    """Which layers of a block; empty takes the method's own default. Example: q,v,mlp."""
    rank: Annotated[int, Range(1, 256)] = 8
    """Rank of low-rank methods. Example: 16."""
    alpha: Annotated[float, Range(0.01, 1024)] = 16.0
    """Scale of low-rank methods: the update is multiplied by alpha / rank. Example: 32."""
    dropout: Annotated[float, Range(0, 0.9)] = 0.0
    """Dropout probability on the adapter's input. Example: 0.1."""
    width: Annotated[int, Range(1, 1024)] = 32
    """Channels in the bottleneck of `bottleneck` and `two_level`. Example: 64."""


@dataclass(frozen=True, kw_only=True)
class HeadConfig:
    """The trained decoder."""

    kind: HeadKind = "pyramid"
    """pyramid: multi-scale; sam: SAM's own decoder; hires: the same plus early features."""
    num_classes: Annotated[int, Range(1, 255)] = 1
    """Foreground classes; 1 gives a single logit, more give background plus one each.
    Example: 4."""
    boundary: bool = False
    """Add one channel for the borders of instances, by which touching ones are told apart; `rim` in
    train.losses teaches it, from a data set with instances."""
    stride: Literal[2, 4] | None = None
    """Pixels per logit; empty takes 2 for pyramid and 4 for the others."""
    width: Annotated[int, Range(8, 512)] = 64
    """Channels inside the pyramid head, and in what hires adds to SAM's decoder. Example: 96."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Encoder, adapters and head together."""

    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    adapter: AdapterConfig = field(default_factory=AdapterConfig)
    head: HeadConfig = field(default_factory=HeadConfig)
    window: tuple[int, int] = (512, 512)
    """Height and width, in pixels, of what the encoder sees at once. Multiples of 16.
    Example: 448,896."""

    def __post_init__(self) -> None:
        """Refuse a window that the patch grid cannot tile."""
        need_patches("model.window", self.window)


_SCALES = (0.05, 20.0)
"""No crop is resized by less or more."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What is trained on, and how crops are drawn."""

    name: str = "folder"
    """Data set; `sam-crack data list` names them. Example: dnit."""
    root: Path | None = None
    """Folder in which the data set lies as published. Example: data/dnit."""
    lists: Path | None = None
    """Folder of train.txt, val.txt and test.txt, as `sam-crack data split` writes them; empty looks
    in the root. Example: splits/dnit."""
    also: dict[str, Path] = field(default_factory=dict)
    """Further data sets to learn from, with their folders: split `train` of each, and of the same
    `classes`. Validation stays with `name`. Example: uav=data/uav."""
    also_scale: dict[str, float] = field(default_factory=dict)
    """Factors by which the frames of these show things as large as those of `name` do, before
    `scale`; 1 where nothing is said. Example: uav=0.35."""
    train: str = "train"
    """Split to learn from. Example: train."""
    val: str = "val"
    """Split on which the threshold and the best checkpoint are chosen. Example: val."""
    hold_out: Annotated[int, Range(1)] | None = None
    """Where no split is published for it: validate on at least so many frames of `train`, whole
    groups of them, which are then not learnt from. Example: 2."""
    limit: Annotated[int, Range(1)] | None = None
    """Learn from at most so many frames, drawn by the seed; a larger draw holds the smaller. Empty
    takes all. Example: 5."""
    classes: tuple[str, ...] = ()
    """Classes taken as foreground, in order; empty takes all of the data set.
    Example: crack,pothole."""
    crop: tuple[int, int] | None = None
    """Height and width of the crops that are learnt from, multiples of 16; none takes
    model.window. For the same work smaller crops show more places; what a ViT knows of places in
    the window is brought to their size. Example: 224,224."""
    crops_per_frame: Annotated[int, Range(1, 64)] = 1
    """Crops cut from a frame each time it is opened. More saves reading where frames are large and
    not prepared, but puts neighbours into one batch. Example: 4."""
    foreground_share: Annotated[float, Range(0, 1)] = 0.7
    """Share of crops that are placed on a foreground pixel. Example: 0.5."""
    hard_share: Annotated[float, Range(0, 1)] = 0.3
    """Share of the other crops that are placed on dark lines and edges free of foreground, such as
    joints, tar and shadows; the rest is anywhere. Example: 0.5."""
    scale: tuple[float, float] = (1.0, 1.0)
    """Smallest and largest factor by which a crop is resized. Example: 0.25,2."""
    scale_share: Annotated[float, Range(0, 1)] = 1.0
    """Share of crops that are resized by `scale`; the others keep the scale of their frame.
    Example: 0.5."""
    region_only: bool = False
    """Learn from and validate on the region that the data set says was looked at, such as the lane
    in dnit; what lies outside counts neither for nor against. Without a region all counts."""
    flip: Literal["none", "mirror", "dihedral"] = "mirror"
    """mirror: left and right, as for roads ahead; dihedral: quarter turns too, as for tissue and
    for pavement from above."""
    bend_share: Annotated[float, Range(0, 1)] = 0.3
    """Share of crops that are turned and bent by `rotate` and `perspective`. Example: 0."""
    rotate: Annotated[float, Range(0, 180)] = 5.0
    """Largest turn to either side, in degrees. Example: 15."""
    perspective: Annotated[float, Range(0, 0.2)] = 0.04
    """Largest move of a crop's corner, as a share of its side. Example: 0.1."""
    weather: Annotated[float, Range(0, 2)] = 1.0
    """How strongly light, shadow, rain, blur, noise and compression vary: 0 not at all, 1 as on
    roads; below 0.5 without shadow and rain. Example: 0.4 for tissue and X-rays."""
    stain: Annotated[float, Range(0, 2)] = 0.0
    """How strongly the stains of H&E tissue vary: 0 not at all, 1 as between laboratories.
    Example: 1."""
    num_workers: Annotated[int, Range(0, 64)] = 0
    """Processes that prepare crops; 0 prepares them in the training process. Example: 4."""

    def __post_init__(self) -> None:
        """Refuse factors that no crop can be resized by, and crops that no encoder takes."""
        need_span("data.scale", self.scale, within=_SCALES)
        strangers = sorted(self.also_scale.keys() - self.also.keys())
        if strangers:
            raise UsageError(
                f"data.also_scale names {', '.join(strangers)}",
                f"the sets of data.also: {', '.join(self.also) or 'none'}",
                "add its folder to data.also, or drop the factor",
            )
        for name, factor in self.also_scale.items():
            low, high = (factor * one for one in self.scale)
            need_span(f"data.also_scale {name}", (factor, factor), within=_SCALES)
            need_span(f"data.scale times data.also_scale {name}", (low, high), within=_SCALES)
        if self.crop is not None:
            need_patches("data.crop", self.crop)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How long and how hard is trained."""

    steps: Annotated[int, Range(1)] = 1000
    """Optimiser steps. Example: 3000."""
    batch_size: Annotated[int, Range(1)] = 4
    """Crops per process and forward pass. Example: 8."""
    accumulate: Annotated[int, Range(1)] = 1
    """Forward passes per optimiser step. Example: 2."""
    probe_batch: bool = False
    """Try before training how many crops fit into memory at once, and share the
    batch_size x accumulate crops of a step out anew; the crops of a step stay the same."""
    lr: Annotated[float, Range(0, 1)] = 5e-4
    """Peak learning rate of adapters. Example: 1e-4."""
    head_lr: Annotated[float, Range(0, 1)] = 1e-3
    """Peak learning rate of the head. Example: 2e-3."""
    optimiser: Literal["adamw", "sgd"] = "adamw"
    """adamw, or sgd with Nesterov's `momentum`, which wants rates ten times as high and more."""
    momentum: Annotated[float, Range(0.01, 0.9999)] = 0.99
    """Momentum of sgd; adamw has its own. Example: 0.9."""
    weight_decay: Annotated[float, Range(0, 1)] = 0.01
    """Decay of weight matrices; norms and biases have none. Example: 0.05."""
    warmup: Annotated[int, Range(0)] = 20
    """Steps of linear warm-up; `schedule` follows. Example: 100."""
    schedule: Literal["cosine", "poly"] = "cosine"
    """How the rate falls after the warm-up: half a cosine to 1 %, or (1 - share done) ** 0.9."""
    ema: Annotated[float, Range(0, 0.99999)] = 0.0
    """Decay per step of a running mean of the trained weights, which is then what is validated and
    kept; 0 takes the weights as they are. Example: 0.99."""
    bad_steps: Annotated[int, Range(1)] = 10
    """Steps that may be skipped, for a loss or gradients that are not finite, before the run ends;
    every good step makes up for one. Example: 3."""
    patience: Annotated[int, Range(0)] = 0
    """Validations in a row without a better score after which training ends; 0 never ends early.
    Example: 5."""
    recompute: bool = False
    """Forget activations inside encoder blocks and compute them again for the gradient: about a
    third more time, several times less memory."""
    compile: bool = False
    """Compile each encoder block with torch.compile; pays on GPUs, after a minute's start."""
    cache_crops: Annotated[int, Range(0)] = 0
    """With adapter method head_only: draw only so many different crops, and encode each once; 0
    passes every crop through the encoder. Example: 512."""
    track: Literal["none", "wandb", "tensorboard"] = "none"
    """Where to report besides metrics.jsonl. wandb stays offline unless WANDB_MODE=online is set;
    tensorboard is an extra: pip install sam-crack[tensorboard]."""
    clip_norm: Annotated[float, Range(0)] = 1.0
    """Largest gradient norm; 0 switches clipping off. Example: 0.5."""
    losses: dict[str, float] = field(default_factory=lambda: {"bce": 1.0, "dice": 1.0})
    """Loss names and their weights; `rim` teaches the channel of head.boundary.
    Example: bce=1,dice=1."""
    validate_every: Annotated[int, Range(0)] = 200
    """Steps between validations; 0 validates only at the end. Example: 500."""
    save_every: Annotated[int, Range(0)] = 100
    """Steps between saved states from which `--resume` continues; 0 saves only when stopped.
    Example: 50."""


@dataclass(frozen=True, kw_only=True)
class InferConfig:
    """How frames pass the model."""

    overlap: Annotated[float, Range(0, 0.75)] = 0.125
    """Smallest share of a window that is seen by its neighbour too. Example: 0.25."""
    batch_size: Annotated[int, Range(1)] = 4
    """Windows per forward pass. Example: 8."""
    threshold: Annotated[float, Range(0, 1)] | None = None
    """Probability from which a pixel is foreground; empty takes the checkpoint's own.
    Example: 0.5."""
    scale: tuple[float, ...] = (1.0,)
    """Factors by which validation resizes whole frames before it cuts windows. Where there are
    several, the best is chosen with the threshold, and kept with the checkpoint. Example: 0.71,1.
    """
    road: str = "all"
    """Where to look: `all`; `band:TOP,BOTTOM` as shares of the height; `mask:FILE`, an image bright
    on the road or a .json polygon of [y, x] shares; `prior:FILE`, heat_SPLIT.npy of `data stats`;
    `auto`, which base SAM finds ahead in each frame. It fades out over 3 % of the height.
    Example: band:0.4,1."""

    def __post_init__(self) -> None:
        """Refuse factors that no frame can be resized by."""
        if not self.scale or not all(LOWEST_SCALE <= one <= HIGHEST_SCALE for one in self.scale):
            raise UsageError(
                f"infer.scale: {', '.join(f'{factor:g}' for factor in self.scale) or 'none'}",
                f"one factor or several, {LOWEST_SCALE:g} to {HIGHEST_SCALE:g}",
                "for example --infer.scale 0.71,1",
            )


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """One run, from data to model, complete."""

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    infer: InferConfig = field(default_factory=InferConfig)
    seed: Annotated[int, Range(0)] = 0
    """Seed of everything random. Example: 7."""
    name: str = "run"
    """Name of the run folder. Example: dnit_vit_b."""

    @property
    def crop(self) -> tuple[int, int]:
        """Height and width of what is learnt from."""
        return self.data.crop or self.model.window
