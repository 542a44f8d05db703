"""`sam-crack data check`: is this data set what it claims to be, and can it be trusted?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sam_crack import durable
from sam_crack.config.data_verbs import DataCheckOptions
from sam_crack.console import Console, counted
from sam_crack.data.dataset import Dataset
from sam_crack.data.duplicates import Pair, find_alike
from sam_crack.data.examine import FrameFacts, examine, open_for_check
from sam_crack.data.findings import (
    Finding,
    Severity,
    judge_counts,
    judge_encoding,
    judge_frames,
    judge_groups,
    judge_pairs,
)
from sam_crack.data.manifest import compare, hash_files, list_all, read_manifest, write_manifest
from sam_crack.data.mosaic import Tile, mosaic, png
from sam_crack.data.sets.layout import SPLITS
from sam_crack.data.survey import survey
from sam_crack.errors import BadInput

_SHOWN = 5
_WORST = 6
_FEW_CLASSES = 8


def run_data_check(options: DataCheckOptions, console: Console) -> dict[str, object]:
    """Read every frame, compare with what is published, look for leaks; 3 if anything is wrong."""
    dataset, mixture = open_for_check(options)
    out = options.out or Path("runs/check") / options.name
    for note in dataset.spec.notes:
        console.say(f"note: {note}")
    looks = survey(dataset, examine, num_workers=options.workers)
    facts = list(console.progress(looks, "looking", total=len(dataset), unit="frame"))
    pairs = find_alike([each.look for each in facts])
    findings = [
        *judge_frames(dataset, facts),
        *judge_encoding(dataset, facts, mixture, options.classes),
        *judge_counts(dataset, split=options.split),
        *judge_groups(dataset),
        *judge_pairs(dataset, facts, pairs),
        *_files(dataset, options, out, console),
    ]
    if options.strict:
        findings = [each.strictly() for each in findings]
    pictures = _draw_worst(dataset, pairs, out / "worst_pairs.png")
    errors = sum(each.severity == "error" for each in findings)
    result = {"errors": errors} | _report(dataset, facts, findings, pairs)
    _say(dataset, findings, result, console)
    durable.write_text(out / "check.json", json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    console.say()
    written = ["manifest.json", "check.json", *(["worst_pairs.png"] if pictures else [])]
    console.say(f"{out}: {', '.join(written)}")
    warnings = sum(each.severity == "warning" for each in findings)
    counts = [(errors, "error"), (warnings, "warning")]
    found = ", ".join(counted(number, word) for number, word in counts if number)
    console.say(f"{options.name}: {len(dataset)} frames, {found or 'nothing wrong'}")
    return result | {"out": str(out), "exit_code": BadInput.exit_code if errors else 0}


def _report(
    dataset: Dataset,
    facts: Sequence[FrameFacts],
    findings: Sequence[Finding],
    pairs: Sequence[Pair],
) -> dict[str, Any]:
    """Return what check.json holds."""
    return {
        "dataset": dataset.spec.name,
        "root": str(dataset.root),
        "frames": len(dataset),
        "splits": _counts(dataset),
        "stored": dict(Counter(each.stored for each in facts if each.stored).most_common()),
        "sizes": _sizes(facts),
        "classes": class_shares(dataset, facts),
        "notes": list(dataset.spec.notes),
        "findings": [each.plain() for each in findings],
        "worst_pairs": [
            [dataset.records[a].id, dataset.records[b].id, round(value, 4)]
            for a, b, value in pairs[:_WORST]
        ],
    }


def _counts(dataset: Dataset) -> dict[str, dict[str, int | None]]:
    """Published and found number of frames per split, side by side."""
    found = Counter(record.split or "unsplit" for record in dataset.records)
    table: dict[str, dict[str, int | None]] = {}
    for split, number in dataset.spec.splits.items():
        here = len(dataset) if split == "all" else found.pop(split, 0)
        table[split] = {"published": number, "found": here}
    if not table or set(found) != {"unsplit"}:
        order = sorted(
            found, key=lambda split: (SPLITS.index(split) if split in SPLITS else 9, split)
        )
        table |= {split: {"published": None, "found": found[split]} for split in order}
    return table


def _sizes(facts: Sequence[FrameFacts]) -> dict[str, int]:
    """Frames per height x width, the commonest first."""
    sizes = Counter(f"{h} x {w}" for h, w in (each.size for each in facts) if h)
    return dict(sizes.most_common(20))


def class_shares(dataset: Dataset, facts: Sequence[FrameFacts]) -> list[dict[str, object]]:
    """Per class: frames that show it, pixels, and its share of all pixels that count."""
    read = [each for each in facts if each.areas]
    total = sum(each.size[0] * each.size[1] - each.ignored_px for each in read)
    rows: list[dict[str, object]] = []
    for index, each in enumerate(dataset.classes, 1):
        pixels = sum(one.areas[index] for one in read)
        rows.append(
            {
                "class": each.name,
                "frames": sum(one.areas[index] > 0 for one in read),
                "pixels": pixels,
                "share": round(pixels / total, 8) if total else 0.0,
            }
        )
    return rows


def _files(
    dataset: Dataset, options: DataCheckOptions, out: Path, console: Console
) -> list[Finding]:
    """Hash every file below the root, write the manifest, and compare it with an earlier one."""
    root = options.root
    before = read_manifest(options.against) if options.against else None
    here = [path for path in list_all(root) if not path.is_relative_to(out)]
    hashed = console.progress(hash_files(root, here), "hashing", total=len(here), unit="file")
    files = dict(hashed)
    write_manifest(out / "manifest.json", options.name, files)
    found = [
        Finding("error", "unreadable file", f"{name}: {entry['error']}")
        for name, entry in files.items()
        if "error" in entry
    ]
    if before is not None:
        for what, names in compare(before, files).items():
            severity: Severity = "note" if what == "new" else "error"
            found += [Finding(severity, f"{what} since the manifest", name) for name in names]
    used = {path for r in dataset.records for path in (r.image, *r.masks.values())}
    idle = [path for path in here if path not in used and path.suffix.lower() != ".txt"]
    if idle and not options.split:
        example = ", ".join(str(path.relative_to(root)) for path in idle[:3])
        found.append(
            Finding("note", "other files", f"{len(idle)} belong to no frame, such as {example}")
        )
    return found


def _draw_worst(dataset: Dataset, pairs: Sequence[Pair], path: Path) -> bool:
    """Draw the most alike pairs side by side, those of two splits first; say whether any were."""
    splits = [record.split for record in dataset.records]
    ordered = sorted(pairs, key=lambda pair: (splits[pair[0]] == splits[pair[1]], -pair[2]))
    tiles = []
    for first, second, value in ordered[:_WORST]:
        for index, note in ((first, f"likeness {value:.3f}"), (second, "")):
            record = dataset.records[index]
            caption = "  ".join(filter(None, (record.id, record.split, note)))
            tiles.append(Tile(picture=dataset.read_image(index), caption=caption))
    path.unlink(missing_ok=True)
    if tiles:
        title = f"{dataset.spec.name}: pictures that look alike"
        sheet = mosaic(tiles, columns=2, tile=(300, 480), title=title)
        durable.write_bytes(path, png(sheet))
    return bool(tiles)


def _say(
    dataset: Dataset,
    findings: Sequence[Finding],
    result: dict[str, Any],
    console: Console,
) -> None:
    """Print the tables and the findings, errors first."""
    shares = result["classes"]
    for what, key in (("stored as", "stored"), ("height x width", "sizes")):
        listed = [f"{name} ({number:,})" for name, number in result[key].items()]
        more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
        console.say(f"{what}: {', '.join(listed[:_SHOWN])}{more}")
    console.say()
    rows = [(s, row["published"] or "-", row["found"]) for s, row in result["splits"].items()]
    console.table(("split", "published", "found"), rows)
    console.say()
    present = [row for row in shares if row["frames"] or len(shares) <= _FEW_CLASSES]
    console.table(
        ("class", "frames", "pixels", "share of pixels"),
        [
            (row["class"], row["frames"], row["pixels"], f"{float(str(row['share'])):.4%}")
            for row in present
        ],
    )
    if len(present) < len(shares):
        console.say(f"and {len(shares) - len(present)} classes that no frame shows")
    for severity in ("error", "warning", "note"):
        kinds: dict[str, list[Finding]] = {}
        for each in findings:
            if each.severity == severity:
                kinds.setdefault(each.kind, []).append(each)
        for kind, members in kinds.items():
            console.say()
            console.say(f"{severity}: {kind} ({len(members)})")
            for each in members[:_SHOWN]:
                console.say(f"  {each.text}")
            if len(members) > _SHOWN:
                console.say(f"  and {len(members) - _SHOWN} more, all in check.json")
    mixed = any(each.kind == "mixed encodings" for each in findings)
    if dataset.spec.name == "folder" and not mixed:
        serious = any(each.severity != "note" for each in findings)
        _say_flags(dataset, console, settle=serious)


def _say_flags(dataset: Dataset, console: Console, *, settle: bool) -> None:
    """Print the command that trains on a folder whose encoding was found out."""
    flags = next(
        (
            note.removeprefix("flags: --classes ")
            for note in dataset.spec.notes
            if note.startswith("flags: ")
        ),
        "",
    )
    console.say()
    first = "once the errors and warnings above are settled, " if settle else ""
    console.say(f"{first}train on it as it was read here with")
    console.say(
        f"  sam-crack train --config folder --data.root {dataset.root} --data.classes '{flags}'"
    )
