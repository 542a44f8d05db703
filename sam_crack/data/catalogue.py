"""`sam-crack data list`: what data sets there are and where to get them."""

from __future__ import annotations

from sam_crack.config.verbs import DataListOptions
from sam_crack.console import Console
from sam_crack.data.dataset import find_spec
from sam_crack.data.sets.catalogue import DATASETS
from sam_crack.data.sets.spec import DatasetSpec


def run_data_list(options: DataListOptions, console: Console) -> dict[str, object]:
    """Print every data set in a table, or all that is known about one."""
    if options.name:
        spec = find_spec(options.name)
        _say_whole(spec, console)
        return {"sets": [_plain(spec)]}
    rows = [
        (
            spec.name,
            _counts(spec),
            f"{len(spec.classes)}" if spec.classes else "any",
            _short(spec.licence, 32),
            _short(spec.title, 60),
        )
        for spec in DATASETS.values()
    ]
    console.table(("name", "frames", "classes", "licence", "what"), rows)
    console.say()
    console.say(
        "`sam-crack data list --name NAME` says where to get one, its layout and its classes."
    )
    return {"sets": [_plain(spec) for spec in DATASETS.values()]}


def _say_whole(spec: DatasetSpec, console: Console) -> None:
    """Print one data set's facts, a line each."""
    names = ", ".join(each.name for each in spec.classes)
    facts = {
        "what": spec.title,
        "get it": spec.url,
        "licence": spec.licence,
        "cite": spec.citation or "nothing",
        "frames": _counts(spec) or "unstated",
        "grouped by": spec.grouped_by or "nothing: frames are independent",
        "classes": names or "found out from the masks, or stated: --classes crack=255",
        "layout": spec.layout,
    }
    console.say(spec.name)
    for label, fact in facts.items():
        console.say(f"  {label:<11}{fact}")
    for note in spec.notes:
        console.say(f"  {'note':<11}{note}")


def _counts(spec: DatasetSpec) -> str:
    """Write published counts as `train 300, test 237`."""
    return ", ".join(
        f"{number:,}" if split == "all" else f"{split} {number:,}"
        for split, number in spec.splits.items()
    )


def _short(text: str, length: int) -> str:
    """Cut a text at a word's end."""
    if len(text) <= length:
        return text
    return text[:length].rsplit(" ", 1)[0].rstrip(",;:") + " ..."


def _plain(spec: DatasetSpec) -> dict[str, object]:
    """Return a data set's facts as JSON values."""
    return {
        "name": spec.name,
        "title": spec.title,
        "url": spec.url,
        "licence": spec.licence,
        "citation": spec.citation,
        "classes": [
            {"index": index, "name": each.name, "colour": list(each.colour)}
            for index, each in enumerate(spec.classes, 1)
        ],
        "splits": dict(spec.splits),
        "grouped_by": spec.grouped_by,
        "layout": spec.layout,
        "notes": list(spec.notes),
    }
