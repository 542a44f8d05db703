"""What the figures of a comparison rest on, in words."""

from __future__ import annotations

from collections.abc import Sequence

from sam_crack.studies.compare.plan import Plan
from sam_crack.studies.compare.results import Result
from sam_crack.studies.compare.rows import EvaluateConfig
from sam_crack.studies.evaluation.tables import FEW_GROUPS, MISSED, POLICIES


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
    first = plan.rows[0]
    scored = first.evaluate
    found = [
        "IoU, clDice and bf1@2px (F1 of borders within 2 px) are of the foreground alone, pooled "
        "over all pixels of the frames",
        *_budget(results),
        _thresholds(plan),
        *_scales(results),
        f"empty masks: {scored.empty}: {POLICIES[scored.empty]}",
        f"missed masks: {MISSED}",
        f"gains are paired: the same frames, resampled by the same draws, against {plan.baseline}",
        _seeds(results),
        *_groups(plan, results),
    ]
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
            "of that, and chose by F1 on validation; the cost stands beside them"
        )
    return found


def _thresholds(plan: Plan) -> str:
    fixed = [row.name for row in plan.rows if row.infer.threshold is not None]
    text = f"thresholds are chosen on {plan.rows[0].config.data.val}, never on the frames scored"
    return text + (f", except those that the file fixes: {', '.join(fixed)}" if fixed else "")


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
            found.append(f"so is what frames are resized by, among {among}: {', '.join(rows)}")
    return found


def _factors(result: Result) -> list[float]:
    """Return by what frames were resized, seed by seed."""
    return [one["model"]["scale"]["factor"] for one in result.metrics]


def _seeds(results: Sequence[Result]) -> str:
    counts = {len(one.trained) for one in results}
    if counts <= {1}:
        return "one seed each: what changes from seed to seed is not in the intervals"
    return (
        f"{min(counts)} to {max(counts)} seeds: figures are means over seeds, ± is their standard "
        "deviation; intervals resample frames and leave the seeds as they are"
    )


def _groups(plan: Plan, results: Sequence[Result]) -> list[str]:
    found = []
    for where in dict.fromkeys(one.row.scored_on for one in results):
        one = next(each for each in results if each.row.scored_on == where)
        facts = one.metrics[0]
        groups = facts["bootstrap"]["groups"]
        rough = "; so few make rough intervals" if groups < FEW_GROUPS else ""
        found.append(
            f"{where}: {facts['data']['frames']} frames; 95 % intervals from "
            f"{facts['bootstrap']['resamples']} resamples of {groups} whole "
            f"{facts['bootstrap']['unit']}s{rough}"
        )
    return found
