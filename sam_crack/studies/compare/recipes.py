"""What a row of a comparison trains, read from its file: settings, opponents, trials, seeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sam_crack.config.load import leaves
from sam_crack.config.schema import RunConfig
from sam_crack.config.trees import load_tree, merged
from sam_crack.config.values import MismatchError, parse
from sam_crack.errors import UsageError
from sam_crack.studies.compare.rows import Recipe, Tuning, files_of
from sam_crack.studies.compare.samples import Checked, init_of
from sam_crack.studies.opponents import OpponentConfig, check_opponent
from sam_crack.studies.training.start import look_at
from sam_crack.studies.zero_shot import ZeroShotConfig

OWN = ("opponent", "zero_shot", "init", "tune", "seeds", "of", "evaluate")
"""What a row may hold beside the settings of a run."""
SHARE = "share"
BUDGET = ("train.steps", "train.batch_size", "train.accumulate")
"""What every row has the same of is not tuned."""


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What all rows of a file have in common."""

    base: Mapping[str, Any]
    seeds: object
    checked: Checked


def read_recipes(
    name: str, overlay: Mapping[str, Any], shared: Shared, place: str
) -> tuple[Recipe, ...]:
    """Read what is trained, once for each seed."""
    tree = merged(shared.base, {key: value for key, value in overlay.items() if key not in OWN})
    config = load_tree(RunConfig, {**tree, "name": name}, place)
    config = dataclasses.replace(config, data=shared.checked.placed(config.data, place))
    opponent = zero_shot = None
    if "opponent" in overlay:
        section = section_of(overlay, "opponent", place)
        opponent = load_tree(OpponentConfig, section, f"{place}.opponent")
        check_opponent(opponent, f"{place}.opponent")
    if "zero_shot" in overlay:
        section = section_of(overlay, "zero_shot", place)
        zero_shot = load_tree(ZeroShotConfig, section, f"{place}.zero_shot")
    if ((opponent or "init" in overlay) and zero_shot) or (opponent and "init" in overlay):
        raise UsageError(
            f"{place}: two of opponent, zero_shot and init",
            "one of them: only SAM with adapters starts from a checkpoint",
        )
    init, sha256 = init_of(overlay.get("init"), place)
    recipe = Recipe(
        name=name,
        config=config,
        opponent=opponent,
        zero_shot=zero_shot,
        init=init,
        init_sha256=sha256,
        files=files_of(opponent.weights if opponent else None, config.infer.road),
        tuning=_tuning(overlay, zero_shot, place),
    )
    if init is not None:
        for each in (recipe, *(trial for _, trial in recipe.trials())):
            look_at(init, each.config.model)
    found = []
    for seed in _seeds(overlay.get("seeds", shared.seeds), config.seed, place):
        own = dataclasses.replace(
            recipe,
            name=name if seed == config.seed else f"{name}+seed{seed}",
            config=dataclasses.replace(config, seed=seed),
        )
        found.append(dataclasses.replace(own, samples_sha256=shared.checked.learnt(own.config)))
    return tuple(found)


def _tuning(
    overlay: Mapping[str, Any], zero_shot: ZeroShotConfig | None, place: str
) -> Tuning | None:
    """Read which values of which settings are tried."""
    tree = dict(section_of(overlay, "tune", place))
    place = f"{place}.tune"
    share = float(_parsed(float, tree.pop(SHARE, "0.25"), f"{place}.{SHARE}"))  # type: ignore[arg-type]
    if not 0 < share <= 1:
        raise UsageError(f"{place}.{SHARE}: {share:g}", "a share of the steps, above 0, up to 1")
    known = {name: leaf.kind for name, leaf in leaves(RunConfig).items()}
    known = {name: kind for name, kind in known.items() if name.startswith(("train.", "model."))}
    if zero_shot is not None:
        asked = leaves(ZeroShotConfig).items()
        known = {f"zero_shot.{name}": leaf.kind for name, leaf in asked}
    values: dict[str, tuple[object, ...]] = {}
    for name, listed in tree.items():
        if name not in known or name in BUDGET:
            raise UsageError(
                f"{place}: {name!r}",
                f"a setting below {' or '.join(sorted({each.partition('.')[0] for each in known}))}"
                " that leaves the budget as it is",
                "for example train.lr: [1e-4, 3e-4, 1e-3]",
            )
        if not isinstance(listed, list) or len(listed) < 2:
            raise UsageError(f"{place}.{name}: {listed}", "a list of two values or more")
        values[name] = tuple(_parsed(known[name], one, f"{place}.{name}") for one in listed)
    return Tuning(values=values, share=share) if values else None


def _parsed(kind: Any, raw: object, place: str) -> object:  # noqa: ANN401 - any declared type
    try:
        return parse(kind, raw)
    except MismatchError as error:
        raise UsageError(f"{place}: {str(raw)[:60]}", f"must be {error}") from error


def _seeds(raw: object, own: int, place: str) -> tuple[int, ...]:
    """Read the seeds of a row; none given is the one of its settings."""
    if raw is None:
        return (own,)
    seeds = _parsed(tuple[int, ...], raw, f"{place}.seeds")
    assert isinstance(seeds, tuple)
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise UsageError(f"{place}.seeds: {raw}", "different numbers of at least 0: [0, 1, 2]")
    return seeds


def section_of(tree: Mapping[str, Any], name: str, place: str) -> dict[str, Any]:
    """Return a part of a file that holds names and values; an absent one is empty."""
    found = tree.get(name)
    if found is not None and not isinstance(found, dict):
        raise UsageError(f"{place}: {name}: {str(found)[:60]}", "a section: names and values below")
    return found or {}
