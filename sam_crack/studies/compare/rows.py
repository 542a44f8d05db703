"""What a comparison is made of: recipes that are trained, and rows that score what they gave."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from sam_crack import durable
from sam_crack.config.fields import Range
from sam_crack.config.load import overlay_of
from sam_crack.config.schema import HeadConfig, InferConfig, ModelConfig, RunConfig
from sam_crack.config.values import as_text
from sam_crack.studies.opponents import OpponentConfig
from sam_crack.studies.zero_shot import ZeroShotConfig

KEY = 10
"""Digits of a key in the name of a folder."""


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """On which frames rows are scored, and by which rules."""

    name: str = ""
    """What these frames are called in the table; empty takes the name of the data set."""
    data: str = ""
    """Data set; empty takes the one that was learnt from. Example: uav."""
    root: Path | None = None
    """Folder in which it lies; empty takes that of `--roots`, or the one that was learnt from.
    `--roots` wins over it, but for folder and synth, of which rows may have several."""
    classes: tuple[str, ...] = ()
    """Classes taken as foreground there; empty takes those that were learnt."""
    task: Literal["auto", "foreground", "classes", "instances"] = "foreground"
    """What is scored, as `sam-crack evaluate` takes it."""
    split: str = "test"
    """Frames that are scored; none takes every frame."""
    limit: Annotated[int, Range(1)] | None = None
    """At most so many, evenly spaced."""
    empty: Literal["skip", "one", "zero"] = "skip"
    """What an empty frame scores."""
    resamples: Annotated[int, Range(0, 100_000)] = 1000
    """Bootstrap resamples of whole groups."""
    scale: str = "own"
    """By what frames are resized before they are looked at, as `sam-crack evaluate` takes it."""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """Settings of which several values are tried, on validation alone, before a row is trained."""

    values: Mapping[str, tuple[object, ...]]
    """Dotted name to the values that are tried; several names give every combination."""
    share: float = 0.25
    """Share of the row's steps that each combination is trained for."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is trained once, and how."""

    name: str
    config: RunConfig
    opponent: OpponentConfig | None = None
    """The model without SAM that learns; None for SAM with adapters."""
    zero_shot: ZeroShotConfig | None = None
    """How base SAM is asked, without learning anything; None for whatever learns."""
    init: Path | None = None
    """Checkpoint whose trained weights are the start."""
    init_sha256: str = ""
    tuning: Tuning | None = None
    samples_sha256: str = ""
    """Hash of what is learnt from and validated on."""
    files: tuple[str, ...] = ()
    """Hashes of what its settings name: an opponent's weights, masks of the road."""

    @property
    def key(self) -> str:
        """Hash of all that decides what is learnt: what differs from the defaults, and the samples.

        A setting that is added later, with a default that changes nothing, changes no key; nor
        does the folder in which the data lie.
        """
        facts: dict[str, Any] = {
            "config": overlay_of(self.decisive(self.config)),
            "samples": self.samples_sha256,
            "opponent": self.opponent and overlay_of(replace(self.opponent, weights=None)),
            "zero_shot": None if self.zero_shot is None else overlay_of(self.zero_shot),
            "init": self.init_sha256 or None,
            "files": self.files or None,
            "tuning": None if self.tuning is None else dataclasses.asdict(self.tuning),
        }
        return hash_of(facts)

    def decisive(self, config: RunConfig) -> RunConfig:
        """Return of a configuration what decides the result, with defaults for all else."""
        model, head = config.model, config.model.head
        if self.opponent is not None:
            kept = HeadConfig(num_classes=head.num_classes, boundary=head.boundary)
            model = ModelConfig(head=kept, window=model.window)
        elif self.zero_shot is not None:
            model = ModelConfig(backbone=model.backbone, window=model.window)
        infer = replace(config.infer, road=_pathless(config.infer.road))
        return replace(placeless(config), model=model, infer=infer, name=RunConfig().name)

    @property
    def folder(self) -> str:
        """Name of its folder below the comparison's."""
        return f"{self.name}-{self.key[:KEY]}"

    @property
    def method(self) -> str:
        """In a word, for the table."""
        if self.zero_shot is not None:
            return "zero-shot"
        return self.opponent.arch if self.opponent else self.config.model.adapter.method

    def trials(self) -> list[tuple[str, Recipe]]:
        """Return what is tried before training, each with the values that it stands for."""
        if self.tuning is None:
            return []
        names, found = tuple(self.tuning.values), []
        for drawn in itertools.product(*self.tuning.values.values()):
            values = dict(zip(names, drawn, strict=True))
            label = ", ".join(f"{name} {as_text(value)}" for name, value in values.items())
            found.append((label, self.having(values)))
        return found

    def having(self, values: Mapping[str, object]) -> Recipe:
        """Return the same recipe with these values, and nothing more to be tried."""
        config, asked = self.config, self.zero_shot
        for name, value in values.items():
            section, _, rest = name.partition(".")
            if section == "zero_shot" and asked is not None:
                asked = with_value(asked, rest, value)
            else:
                config = with_value(config, name, value)
        return replace(self, config=config, zero_shot=asked, tuning=None)

    def shortened(self) -> Recipe:
        """Return the same recipe over the share of the steps that a trial gets."""
        share = 1.0 if self.tuning is None else self.tuning.share
        train = self.config.train
        steps = max(1, round(train.steps * share))
        warmup = min(round(train.warmup * share), steps - 1)
        train = replace(train, steps=steps, warmup=warmup, validate_every=0)
        return replace(self, config=replace(self.config, train=train))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: what was learnt, seen through one way to look at one set of frames."""

    name: str
    recipes: tuple[Recipe, ...]
    """One for each seed."""
    infer: InferConfig
    """How frames pass the model; threshold and overlap may differ from those of training."""
    evaluate: EvaluateConfig
    of: str = ""
    """The row whose training this one looks at, if it has none of its own."""
    base: str = ""
    """Name without the set of frames: rows of one base share what was learnt."""
    samples_sha256: str = ""
    """Hash of what is scored."""
    files: tuple[str, ...] = ()
    """Hashes of what its way to look names: masks of the road, frames for calibration."""
    differs: str = ""
    """What the file says of it, on one line."""

    @property
    def config(self) -> RunConfig:
        """Settings of its training, whatever the seed."""
        return self.recipes[0].config

    @property
    def key(self) -> str:
        """Hash of all that decides the scores."""
        recipes = [recipe.key for recipe in self.recipes]
        return hash_of({"recipes": recipes, "evaluation": self._asked()})

    @property
    def evaluation(self) -> str:
        """Name of the folder of its scores, below that of a recipe."""
        return f"evaluation-{hash_of(self._asked())[:10]}"

    @property
    def scored_on(self) -> str:
        """Which frames, in words; rows that share them are compared."""
        where = self.evaluate
        parts = [where.name or where.data or self.config.data.name]
        parts.append("all frames" if where.split == "none" else where.split)
        parts += [f"{where.limit} evenly spaced frames"] * (where.limit is not None)
        return ", ".join(parts)

    def _asked(self) -> dict[str, Any]:
        road = _pathless(self.infer.road)
        infer = overlay_of(replace(self.infer, road=road, batch_size=InferConfig().batch_size))
        own = self.evaluate.data == self.config.data.name  # named or not, it is the same
        data = "" if own else self.evaluate.data
        scale = _pathless(self.evaluate.scale)
        place = replace(self.evaluate, root=None, name="", data=data, scale=scale)
        asked = {"infer": infer, "evaluate": overlay_of(place), "samples": self.samples_sha256}
        return asked | {"files": self.files} if self.files else asked


NAMING = ("mask:", "prior:", "calibrate:")
"""Beginnings of settings that go on with a file or folder, which is known by what it holds."""


def files_of(*settings: str | Path | None) -> tuple[str, ...]:
    """Return hashes of the files and folders that settings name, such as `mask:FILE`."""
    found = []
    for setting in settings:
        kind = next((kind for kind in NAMING if str(setting).startswith(kind)), None)
        if setting is None or (kind is None and isinstance(setting, str)):
            continue
        path = Path(str(setting).removeprefix(kind or "")).expanduser()
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        found += [durable.sha256(file) for file in files if file.is_file()]
    return tuple(found)


def _pathless(setting: str) -> str:
    """Return a setting without the path in it."""
    return next((kind for kind in NAMING if setting.startswith(kind)), setting)


def placeless(config: RunConfig) -> RunConfig:
    """Return the same configuration wherever the data lie, so that a moved run goes on."""
    also = dict.fromkeys(config.data.also, Path())
    data = replace(config.data, root=None, lists=None, also=also)
    return replace(config, data=data)


def with_value(config: Any, name: str, value: object) -> Any:  # noqa: ANN401 - any dataclass
    """Return a config with one setting exchanged, by its dotted name."""
    section, _, rest = name.partition(".")
    new = with_value(getattr(config, section), rest, value) if rest else value
    return replace(config, **{section: new})


def hash_of(facts: Mapping[str, Any]) -> str:
    """Return a hash of facts; those that are None say nothing, so that new ones can be added."""
    known = {name: value for name, value in facts.items() if value is not None}
    canonical = json.dumps(known, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()
