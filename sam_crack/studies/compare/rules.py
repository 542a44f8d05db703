"""What the figures of a comparison rest on, in words."""

from __future__ import annotations

from collections.abc import Sequence

from sam_crack.config.schema import DataConfig
from sam_crack.console import counted
from sam_crack.studies.compare.plan import Plan
from sam_crack.studies.compare.results import SEVERAL, Result, by_frames
from sam_crack.studies.compare.rows import EvaluateConfig
from sam_crack.studies.evaluation.tables import MISSED, POLICIES, intervals_from


def costs_of(result: Result) -> str:
    """Say what was spent on a row before its timed training: trials, and what it began from."""
    parts = []
    for one in result.trained:
        tuning = one.get("tuning")
        if tuning:
            parts.append(
                f"{len(tuning['tried'])} trials, {tuning['steps']:,} steps, "
                f"{tuning['train_seconds']:.0f} s: {tuning['chosen']}"
            )
    if result.trained[0].get("steps_before"):
        parts.append(f"start: a checkpoint of {result.trained[0]['steps_before']:,} steps")
    return "; ".join(dict.fromkeys(parts)) or "-"


def rules_of(plan: Plan, results: Sequence[Result]) -> list[str]:
    """Say in words what the table rests on."""
    found = [
        "IoU, clDice and bf1@2px (F1 of borders within 2 px) are of the foreground alone, pooled "
        "over all pixels of the frames",
        *_budget(results),
        *_thresholds(results),
        *_started(results),
        *_scales(results),
        *_empty(results),
        f"missed masks: {MISSED}",
        f"gains are paired: the same frames, resampled by the same draws, against {plan.baseline}",
        _seeds(results),
        *_groups(results),
        *_other_labels(results),
    ]
    if any(one.peak_mb is None for one in results):
        found.append("memory is not known of a training that was killed and went on")
    found += dict.fromkeys(line for one in results for line in _looks(one))
    done = {one.row.name for one in results if len(one.trained) == len(one.row.recipes)}
    missing = [row.name for row in plan.rows if row.name not in done]
    if missing:
        found.append(f"not finished: {', '.join(missing)}")
    return found


def _looks(result: Result) -> list[str]:
    """Say what is unusual about a row, whatever frames it is scored on."""
    row, found = result.row, []
    if row.of:
        found.append(f"{row.base} is what {row.of} has learnt, looked at otherwise")
    if row.evaluate.scale != EvaluateConfig().scale:
        found.append(f"{row.name}: frames resized by {row.evaluate.scale} first")
    if row.recipes[0].zero_shot is not None:
        found.append(
            f"{row.base} has learnt nothing: masks of base SAM that are thin and dark, the places "
            "that are prompted and the threshold chosen on validation"
        )
    return found


def _budget(results: Sequence[Result]) -> list[str]:
    """Say how much every row has seen; what learns nothing sees nothing."""
    budgets = sorted(
        {
            (one.trained[0]["steps"], one.trained[0]["crops"], *one.row.config.crop)
            for one in results
            if one.trained[0]["steps"]
        }
    )
    found = []
    if len(budgets) == 1:
        steps, crops, height, width = budgets[0]
        found.append(
            f"every row that learns saw {crops:,} crops of {height} x {width} px in {steps:,} steps"
        )
    elif budgets:
        found.append(f"budgets differ (steps, crops, height, width): {budgets}")
    if any(one.get("tuning") for result in results for one in result.trained):
        found.append(
            "rows that looked for settings trained every combination for the stated steps on top "
            "of that, and chose by their score on validation; the cost stands beside them"
        )
    return found


def _thresholds(results: Sequence[Result]) -> list[str]:
    """Say on what thresholds were chosen; no row is read whose choice saw what it is scored on."""
    fixed = [one.row.name for one in results if one.row.infer.threshold is not None]
    chosen = dict.fromkeys(_validated(one.row.config.data) for one in results)
    text = f"thresholds are chosen on {' or '.join(chosen)}, never on the frames scored"
    return [text + (f", except those that the file fixes: {', '.join(fixed)}" if fixed else "")]


def _validated(data: DataConfig) -> str:
    held = f"{data.hold_out} frames held out of {data.train}"
    return f"{data.name} {held if data.hold_out else data.val}"


def _started(results: Sequence[Result]) -> list[str]:
    """Say that what a start has seen before is not known here."""
    begun = dict.fromkeys(one.row.base for one in results if one.row.recipes[0].init is not None)
    if not begun:
        return []
    return [f"what the checkpoints have seen that {', '.join(begun)} began with, their cards say"]


def _empty(results: Sequence[Result]) -> list[str]:
    """Say what an empty frame scores, and in which rows where they differ."""
    rows: dict[str, list[str]] = {}
    for one in results:
        rows.setdefault(one.row.evaluate.empty, []).append(one.row.name)
    several = len(rows) > 1
    return [
        f"empty masks{' of ' * several}{', '.join(names * several)}: {empty}: {POLICIES[empty]}"
        for empty, names in rows.items()
    ]


def _other_labels(results: Sequence[Result]) -> list[str]:
    """Say where frames of one name are not the same, or not labelled alike."""
    rows: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for one in results:
        *alike, sha256 = one.truth
        rows.setdefault(tuple(alike), {}).setdefault(sha256, []).append(one.row.name)
    found = [
        f"{one.row.name}: its seeds were scored on different frames or labels: remove the folders "
        "of their evaluations"
        for one in results
        if one.truth[-1] == SEVERAL
    ]
    return found + [
        f"{where}: frames or labels changed between rows: "
        + " against ".join(", ".join(names) for names in by_hash.values())
        + "; remove the folders of the older ones' evaluations to score them again"
        for (where, *_), by_hash in rows.items()
        if len(by_hash) > 1
    ]


def _scales(results: Sequence[Result]) -> list[str]:
    """Say by which factors frames were resized, where validation chose among several."""
    found = []
    for tried in dict.fromkeys(one.row.config.infer.scale for one in results):
        rows = [
            f"{one.row.name} {'/'.join(f'{factor:g}' for factor in _factors(one))}"
            for one in results
            if one.row.config.infer.scale == tried
            and one.row.evaluate.scale == EvaluateConfig().scale
        ]
        if len(tried) > 1 and rows:
            among = ", ".join(f"{factor:g}" for factor in tried)
            text = f"what frames are resized by is chosen on validation too, among {among}"
            found.append(f"{text}: {', '.join(rows)}")
    return found


def _factors(result: Result) -> list[float]:
    """Return by what frames were resized, seed by seed."""
    return [one["model"]["scale"]["factor"] for one in result.metrics]


def _seeds(results: Sequence[Result]) -> str:
    counts = {len(one.trained) for one in results}
    if counts <= {1}:
        return "one seed each: what changes from seed to seed is not in the intervals"
    several = str(min(counts)) if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
    return (
        f"{several} seeds: figures are means over seeds, ± is their standard "
        "deviation; intervals resample frames and leave the seeds as they are; gains are over the "
        "seeds that both rows have"
    )


def _groups(results: Sequence[Result]) -> list[str]:
    """Say of each set of frames how many there are, and what its intervals are drawn from."""
    found = []
    for where, rows in by_frames(results).items():
        facts = rows[0].metrics[0]
        frames = counted(facts["data"]["frames"], "frame")
        found.append(f"{where}: {frames}; {intervals_from(facts['bootstrap'])}")
    return found
