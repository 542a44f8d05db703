"""The overlays of a prediction run as videos, to be watched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sam_crack.console import Console
from sam_crack.data.video import write_video
from sam_crack.studies.drive.map import Records, video_of

VIDEO_FOLDER, PICTURES = "videos", "pictures.mp4"


@dataclass
class _Reel:
    """What is known of one video before it is written."""

    count: int = 0
    first_s: float = 0.0
    last_s: float = 0.0

    def hertz(self, otherwise: float) -> float:
        """Frames per second, so that with a stride, too, the video takes its time."""
        taken = self.last_s - self.first_s
        return (self.count - 1) / taken if self.count > 1 and taken > 0 else otherwise


def write_videos(folder: Path, records: Records, *, rate: float, console: Console) -> None:
    """Write one video for each video that was looked at, and one of all pictures.

    Args:
        folder: Of the run, with its overlays.
        records: Of the frames, in their order.
        rate: Frames per second of what has no times of its own.
        console: For the progress.
    """
    reels: dict[str | None, _Reel] = {}
    for record in records():
        time_s = record["time_s"]
        reel = reels.setdefault(video_of(record), _Reel())
        reel.first_s = reel.first_s if reel.count else time_s or 0.0
        reel.last_s = time_s or 0.0
        reel.count += 1
    for name, reel in reels.items():
        target = folder / PICTURES if name is None else folder / VIDEO_FOLDER / f"{name}.mp4"
        overlays = console.progress(
            _overlays(folder, records, name), target.name, total=reel.count, unit="frame"
        )
        write_video(target, overlays, hertz=round(reel.hertz(rate), 3))


def _overlays(folder: Path, records: Records, name: str | None) -> Iterator[Path]:
    for record in records():
        if video_of(record) == name:
            yield folder / "overlays" / f"{record['name']}.jpg"
