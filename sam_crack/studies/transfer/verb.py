"""`sam-crack transfer`: what a tuned SAM is worth in another domain, image by image."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from sam_crack import durable
from sam_crack.config.study_verbs import TransferOptions
from sam_crack.console import Console, counted
from sam_crack.data.opening import take
from sam_crack.errors import BadInput, IntegrityError, UsageError
from sam_crack.infer.device import choose_device
from sam_crack.model.description import DESCRIPTION, find_checkpoint
from sam_crack.studies.compare.plan import pick_rows, warn_of_strays
from sam_crack.studies.compare.samples import open_scored
from sam_crack.studies.compare.verb import finish_row, is_finished, state_of
from sam_crack.studies.evaluation.frames import chosen_frames
from sam_crack.studies.opponents import is_opponent
from sam_crack.studies.transfer.forget import RULE, forgetting
from sam_crack.studies.transfer.page import say_transfer, write_transfer
from sam_crack.studies.transfer.plan import TransferPlan, read_transfer
from sam_crack.studies.transfer.results import found_so_far
from sam_crack.studies.transfer.tables import Outcome
from sam_crack.studies.zero_shot import is_zero_shot
from sam_crack.train.session import join_processes
from sam_crack.train.state import FolderLock

RUNS = Path("runs") / "transfer"
MISSING = (BadInput, IntegrityError, UsageError)
"""What an optional row may end with: something is not here, or does not fit."""
FORGOTTEN = "forgotten"
"""Folder of what was asked of SAM's own decoder."""


def run_transfer(options: TransferOptions, console: Console) -> dict[str, object]:
    """Train and score every row that is not finished, and write the table after each of them."""
    plan = read_transfer(options.config, root=options.root, roots=options.roots)
    asked = pick_rows(plan.compared, options.rows)
    warn_of_strays(plan.compared, options.roots, console)
    choose_device(options.device)
    if join_processes().num_processes > 1:
        raise UsageError(
            "a transfer in several processes", "one process: its rows are timed", "start it alone"
        )
    folder = options.out or RUNS / options.config.stem
    open_rows = [row for row in asked if not is_finished(row, folder)]
    console.say(
        f"{plan.compared.title}: {len(plan.compared.rows)} rows, {len(asked)} asked, "
        f"{len(asked) - len(open_rows)} of these finished; baseline {plan.compared.baseline}"
    )
    for note in (*plan.notes, *(f"not run: {n}: {why}" for n, why in plan.not_run.items())):
        console.say(note)
    if options.dry_run:
        for row in asked:
            images = counted(plan.points[row.name].images, "image")
            console.say(f"{row.name}: {images}, {state_of(row, folder)}")
        rows = {row.name: {"key": row.key, "images": plan.points[row.name].images} for row in asked}
        return {"out": folder, "rows": rows, "not_run": dict(plan.not_run), "dry_run": True}
    not_run, forgotten = dict(plan.not_run), {}
    with FolderLock(folder):
        for number, row in enumerate(open_rows, 1):
            console.say(f"row {number} of {len(open_rows)}: {row.name}")
            try:
                finish_row(row, folder, options, console)
            except MISSING as error:
                if row.base not in plan.optional:
                    raise
                not_run[row.name] = str(error)
                console.warn(f"{row.name} is not run: {error}")
            so_far = Outcome(found=found_so_far(plan, folder), not_run=not_run)
            write_transfer(folder, plan, so_far)
        for name in plan.forget.of if plan.forget else ():
            try:
                forgotten[name] = _forgotten(name, plan, folder, options, console)
            except MISSING as error:
                not_run[f"forget {name}"] = str(error)
                console.warn(f"what {name} forgets is not asked: {error}")
        found = found_so_far(plan, folder)
        outcome = Outcome(found=found, forgotten=forgotten, not_run=not_run)
        write_transfer(folder, plan, outcome)
    say_transfer(plan, outcome, console)
    console.say(f"table, curve and page: {folder}")
    return {
        "out": folder,
        "rows": {one.row.name: one.facts for one in found},
        "forgotten": forgotten,
        "not_run": not_run,
    }


def _forgotten(
    name: str, plan: TransferPlan, folder: Path, options: TransferOptions, console: Console
) -> dict[str, Any]:
    """Ask SAM's own decoder with and without the adapters of a row or checkpoint, once."""
    assert plan.forget is not None
    checkpoint = _adapters_of(name, plan, folder)
    row, data = plan.compared.rows[0], plan.data
    facts = {
        "checkpoint": durable.sha256(checkpoint / DESCRIPTION),
        "objects": plan.forget.objects,
        "rule": RULE,
        "resamples": row.evaluate.resamples,
        "scored": row.samples_sha256,
        "classes": row.evaluate.classes or data.classes,
        "limit": row.evaluate.limit,
    }
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    kept = folder / FORGOTTEN / f"{Path(name).name}-{key[:10]}.json"
    if not kept.exists():
        console.say(f"what {name} forgets")
        whole = open_scored(row.evaluate, data)
        samples = take(whole, chosen_frames(len(whole), row.evaluate.limit))
        told = forgetting(
            checkpoint,
            samples,
            objects=plan.forget.objects,
            resamples=row.evaluate.resamples,
            device=choose_device(options.device),
            console=console,
        )
        durable.write_text(kept, json.dumps(told | {"key": key}, indent=1) + "\n")
    found: dict[str, Any] = json.loads(kept.read_text("utf-8"))
    del found["each"]  # a line for each object stays in its own file
    return found


def _adapters_of(name: str, plan: TransferPlan, folder: Path) -> Path:
    """Return the checkpoint of a finished row of this name, else the one that is called so."""
    rows = [row for row in plan.compared.rows if name in (row.name, row.base)]
    if not rows:
        return find_checkpoint(Path(name).expanduser())
    recipe = rows[0].recipes[0]
    run = folder / recipe.folder / recipe.name
    if not is_finished(rows[0], folder):
        raise BadInput(f"row {name} is not finished", "a row that has been trained", "train it")
    if is_opponent(run) or is_zero_shot(run):
        raise BadInput(f"row {name} has no adapters in SAM", "a row of SAM with adapters")
    return find_checkpoint(run)
