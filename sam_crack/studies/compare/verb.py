"""`sam-crack compare`: many methods, one budget, one table; what is finished is not done again."""

from __future__ import annotations

from pathlib import Path

from sam_crack.config.study_verbs import CompareOptions, TransferOptions
from sam_crack.console import Console
from sam_crack.errors import UsageError
from sam_crack.infer.device import choose_device
from sam_crack.studies.compare.page import write_comparison
from sam_crack.studies.compare.plan import pick_rows, read_plan, warn_of_strays
from sam_crack.studies.compare.results import results_of
from sam_crack.studies.compare.rows import KEY, Row
from sam_crack.studies.compare.score import is_scored, score_row
from sam_crack.studies.compare.table import say_comparison
from sam_crack.studies.compare.train import (
    ROW,
    forget_training,
    has_model,
    is_trained,
    train_recipe,
)
from sam_crack.train.session import join_processes
from sam_crack.train.state import FolderLock

RUNS = Path("runs") / "compare"


def run_compare(options: CompareOptions, console: Console) -> dict[str, object]:
    """Train and score every row that is not finished, and write the table after each of them."""
    plan = read_plan(options.config, root=options.root, roots=options.roots)
    asked = pick_rows(plan, options.rows)
    warn_of_strays(plan, options.roots, console)
    choose_device(options.device)
    if join_processes().num_processes > 1:
        raise UsageError(
            "a comparison in several processes", "one process: its rows are timed", "start it alone"
        )
    folder = options.out or RUNS / options.config.stem
    open_rows = [row for row in asked if not is_finished(row, folder)]
    console.say(
        f"{plan.title}: {len(plan.rows)} rows, {len(asked)} asked, "
        f"{len(asked) - len(open_rows)} of these finished; baseline {plan.baseline}"
    )
    if options.dry_run:
        for row in asked:
            console.say(f"{row.name}: {state_of(row, folder)}")
        return {"out": folder, "rows": {row.name: row.key for row in asked}, "dry_run": True}
    with FolderLock(folder):
        for number, row in enumerate(open_rows, 1):
            console.say(f"row {number} of {len(open_rows)}: {row.name}")
            finish_row(row, folder, options, console)
            if number < len(open_rows):
                write_comparison(folder, plan, results_of(plan, folder))
        results = results_of(plan, folder)
        write_comparison(folder, plan, results)
    say_comparison(plan, results, console)
    console.say(f"table, plots and page: {folder}")
    return {"out": folder, "rows": {one.row.name: one.facts for one in results}}


def is_finished(row: Row, folder: Path) -> bool:
    """Whether everything that a row asks for has been trained and scored."""
    trained = [is_trained(recipe, folder) for recipe in row.recipes]
    return all(trained) and all(is_scored(row, recipe, folder) for recipe in row.recipes)


def state_of(row: Row, folder: Path) -> str:
    """Say in words what is left to do for a row."""
    if is_finished(row, folder):
        return "finished"
    if all(is_trained(recipe, folder) for recipe in row.recipes):
        return "trained, to be scored"
    own = {recipe.folder for recipe in row.recipes}
    kept = {
        path.parent.name
        for recipe in row.recipes
        for path in folder.glob(f"{recipe.name}-{'?' * KEY}/{ROW}")
    }
    others = ", ".join(sorted(kept - own))
    return f"to be trained; {others}: of other settings or frames" if others else "to be trained"


def finish_row(
    row: Row, folder: Path, options: CompareOptions | TransferOptions, console: Console
) -> None:
    """Train what is not trained and score what is not scored."""
    quiet = Console(quiet=True, no_progress=console.no_progress or console.quiet)
    for recipe in row.recipes:
        scored = is_scored(row, recipe, folder)
        if is_trained(recipe, folder) and not (scored or has_model(recipe, folder)):
            console.warn(f"{folder / recipe.folder} has lost its model: it is trained again")
            forget_training(recipe, folder)
        if not is_trained(recipe, folder):
            if len(row.recipes) > 1:
                console.say(f"seed {recipe.config.seed}")
            train_recipe(recipe, folder, console)
        if not scored:
            score_row(row, recipe, folder, device=options.device, console=quiet)
