"""Measures a frame's mask and writes what comes of it, beside the next frame's way through."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack import durable
from sam_crack.config.look_verbs import PredictOptions
from sam_crack.errors import BadInput
from sam_crack.infer.frame_log import FrameLog
from sam_crack.infer.frames import Frame, FrameStream
from sam_crack.infer.prediction import Prediction
from sam_crack.measure.cracks import Crack, measure_cracks
from sam_crack.measure.polyline import simplify
from sam_crack.measure.road_camera import RoadCamera
from sam_crack.report.overlay import Label, draw_overlay, jpeg

FRAGMENT_PX = 3.0  # shorter is no line
MAX_LABELS, FARTHEST_M = 12, 20.0  # more, or those far ahead, would hide what they name


@dataclass(kw_only=True, eq=False)
class Writer:
    """Measures a frame's mask and writes all that comes of it; the log's line comes last."""

    folder: Path
    log: FrameLog
    stream: FrameStream
    options: PredictOptions
    camera: RoadCamera | None

    def write(self, frame: Frame, prediction: Prediction) -> None:
        """Write mask and overlay, then the record that makes the frame done."""
        camera, problem = self._camera_for(frame)
        began = time.perf_counter()
        cracks, fragments = self._measured(prediction, camera)
        seconds = {"decode": frame.decode_s, **prediction.seconds}
        seconds["measure"] = time.perf_counter() - began
        durable.write_bytes(self.folder / "masks" / f"{frame.name}.png", bilevel(prediction.mask))
        deep = prediction.prob if prediction.deep_prob is None else prediction.deep_prob
        if self.options.probabilities != "none":
            target = self.folder / "probabilities" / f"{frame.name}.png"
            durable.write_bytes(target, cv2.imencode(".png", deep)[1].tobytes())
        if self.options.overlay:
            drawn = draw_overlay(frame.image, prediction.mask, labels=_labels(cracks))
            durable.write_bytes(self.folder / "overlays" / f"{frame.name}.jpg", jpeg(drawn))
        source = self.stream.sources[frame.key[0]]
        seconds["write"] = time.perf_counter() - began - seconds["measure"]
        self.log.append(
            {
                "name": frame.name,
                "source_name": source.name,
                "source": source.real,
                "source_bytes": source.size_bytes,
                "index": frame.key[1],
                "time_s": frame.time_s,
                "clock_s": frame.clock_s,
                "size": list(frame.image.shape[:2]),
                "windows": prediction.windows,
                "problem": problem,
                "seconds": {stage: round(value, 4) for stage, value in seconds.items()},
                "cracks": [crack.row() | _lines(crack) for crack in cracks],
                "fragments": [[one.kind, [line.row() for line in one.road]] for one in fragments],
            }
        )

    def _measured(
        self, prediction: Prediction, camera: RoadCamera | None
    ) -> tuple[list[Crack], list[Crack]]:
        """Measure what is long enough to be listed, and with a camera the fragments too.

        Far ahead a faint crack is a row of fragments; on the road they are put together again.
        """
        least = self.options.min_length
        found = measure_cracks(
            prediction.mask,
            prob=prediction.prob,
            camera=camera,
            min_length_px=least if camera is None else min(least, FRAGMENT_PX),
            scheme=self.options.scheme,
        )
        listed = [crack for crack in found if crack.length_px >= least]
        fragments = [crack for crack in found if crack.length_px < least and crack.road]
        return [replace(crack, id=number) for number, crack in enumerate(listed, 1)], fragments

    def _camera_for(self, frame: Frame) -> tuple[RoadCamera | None, str | None]:
        """Fit the camera to the frame's size, or say why this frame is measured in pixels."""
        if self.camera is None:
            return None, None
        try:
            return self.camera.resized((frame.image.shape[0], frame.image.shape[1])), None
        except BadInput as error:
            return None, str(error)


def bilevel(mask: NDArray[np.bool_]) -> bytes:
    """Return a mask as a PNG of one bit per pixel."""
    pixels = mask.view(np.uint8) * np.uint8(255)
    # No compression level: naming one changes the filter and takes four times as long.
    _, content = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_BILEVEL, 1])
    return content.tobytes()


def _labels(cracks: list[Crack]) -> list[Label]:
    """Name the longest cracks beside their middle."""
    labels = []
    near = [one for one in cracks if one.ground is None or one.ground.distance_m <= FARTHEST_M]
    for crack in sorted(near, key=lambda crack: -crack.length_px)[:MAX_LABELS]:
        y, x = crack.lines[0][len(crack.lines[0]) // 2]
        ground = crack.ground
        size = f"{ground.length_mm / 1000:.2f} m" if ground else f"{crack.length_px:.0f} px"
        labels.append(Label(text=f"{crack.id}: {size}", y=float(y), x=float(x)))
    return labels


def _lines(crack: Crack) -> dict[str, object]:
    """Centre lines with as few corners as their shape needs, and the same on the road."""
    lines = [simplify(line.astype(np.float64)).round(1).tolist() for line in crack.lines]
    return {"lines": lines, "road": [line.row() for line in crack.road]}
