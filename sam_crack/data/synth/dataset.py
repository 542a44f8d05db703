"""Open a rendered drive: its frames as samples, the own lane as their region."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sam_crack.data.sample import Sample
from sam_crack.data.sets.roads import SYNTH
from sam_crack.data.sets.spec import Record
from sam_crack.data.synth.drive import STAMP
from sam_crack.errors import BadInput
from sam_crack.measure.camera_file import load_camera
from sam_crack.measure.road_camera import RoadCamera


@dataclass(frozen=True, kw_only=True)
class DriveFrame:
    """One frame of a drive, not yet read."""

    record: Record
    split: str
    """train, val or test; empty for the frames between them."""
    truth: Path

    @property
    def id(self) -> str:
        """Name of the frame."""
        return self.record.id

    def load(self) -> Sample:
        """Read picture, mask and lane."""
        found = SYNTH.read(self.record)
        return Sample(
            id=self.id,
            image=SYNTH.read_image(self.record),
            mask=found.mask,
            region=found.region,
            group=self.split or "between",
        )

    def cracks(self) -> list[dict[str, Any]]:
        """Return the true lengths and widths of what this frame shows of each crack."""
        rows: list[dict[str, Any]] = json.loads(self.truth.read_text("utf-8"))["cracks"]
        return rows


def open_drive(root: Path, split: str | None = None) -> list[DriveFrame]:
    """List the frames of a drive, all of them or those of one split."""
    if not (root / STAMP).is_file():
        raise BadInput(
            f"{root} is not a rendered drive", f"a folder with {STAMP}", "make one: data synth"
        )
    split_of = {}
    for name in ("train", "val", "test"):
        listed = root / f"{name}.txt"
        for line in listed.read_text("utf-8").split() if listed.is_file() else ():
            split_of[line] = name
    frames = [
        DriveFrame(
            record=record,
            split=split_of.get(record.id, ""),
            truth=root / "truth" / f"{record.id}.json",
        )
        for record in sorted(SYNTH.scan(root), key=lambda record: record.id)
    ]
    return [frame for frame in frames if split is None or frame.split == split]


def drive_camera(root: Path) -> RoadCamera:
    """Read the camera of a drive."""
    return load_camera(root / "camera.json")
