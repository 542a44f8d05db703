"""A model card as Markdown: what was trained on what, how good it is, and what it is not for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Facts = Mapping[str, Any]
_SCORES = ("f1", "iou", "precision", "recall")
_MEANINGS = {
    "miou": "the mean over the classes that occur",
    "scale": "what whole frames were resized by, chosen with the threshold",
    "rim_f1": "F1 of the borders between objects at probability 0.5",
}


def model_card(facts: Facts) -> str:
    """Write the card of a trained model.

    Args:
        facts: `name`, `classes`, `data` (name, title, licence, url, citation, train, val, also),
            `model` (lines of the summary), `settings` (name to value), `best` (a validation, or
            None), `steps`, `hashes` (name to sha256), `versions`, `figures` (file to caption).
    """
    data: Facts = facts["data"]
    parts = [
        f"# {facts['name']}",
        f"Segments {', '.join(facts['classes'])} in pictures like those of {data['name']}.",
        "## Use",
        "    sam-crack predict RUN FRAMES\n\nwhere RUN is this folder. The checkpoint holds the "
        "adapter and the head; the base weights are fetched by name and verified by their hash.",
        "## Scores on validation",
        _scores(facts["best"]),
        "## Model",
        _bullets(facts["model"]),
        "## Data",
        _pairs(
            {
                "set": f"{data['name']}: {data['title']}",
                "licence": data["licence"],
                "get it": data["url"],
                "cite": data["citation"] or "nothing is stated",
                "learnt from": f"{data['train']:,} frames",
                **({"of them": "; ".join(data["also"])} if data["also"] else {}),
                "validated on": f"{data['val']:,} frames",
            }
        ),
        "## Training",
        _pairs({"steps done": f"{facts['steps']:,}"} | dict(facts["settings"])),
        *(f"![{caption}]({file})" for file, caption in facts["figures"].items()),
        "## To know",
        _bullets(
            [
                "The scores are those of the best of several validations at the threshold chosen "
                "there: expect less on frames that played no part in either choice.",
                "On another camera, height or resolution the same object is wider or narrower in "
                "pixels; bring frames to the scale of the training data first, and choose the "
                "threshold again on a few labelled frames.",
                "No statement on pavement condition or on a patient follows from a mask alone.",
            ]
        ),
        "## Reproduce",
        _pairs({**facts["hashes"], **facts["versions"]}),
        "`config.yaml` is the complete configuration, `run.json` the command, `metrics.jsonl` "
        "every step.",
    ]
    return "\n\n".join(parts) + "\n"


def _scores(best: Facts | None) -> str:
    if best is None:
        return "Nothing was validated."
    names = ("threshold", *_SCORES, *(name for name in _MEANINGS if name in best))
    head = (*names, "at step")
    row = [f"{best[name]:.3f}" for name in names] + [f"{best['step']:,}"]
    lines = (head, ["---:"] * len(head), row)
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    meanings = "".join(f" `{name}` is {what}." for name, what in _MEANINGS.items() if name in best)
    return f"{table}\n\nPooled over all pixels of all frames, foreground only.{meanings}"


def _pairs(values: Mapping[str, object]) -> str:
    lines = ["| | |", "| --- | --- |"]
    for name, value in values.items():
        text = str(value).replace("|", "\\|").replace("\n", " ")
        lines.append(f"| {name} | {text} |")
    return "\n".join(lines)


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"* {line}" for line in lines)
