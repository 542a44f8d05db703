"""From a mask to cracks: length, width, kind, and millimetres where a camera is known."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.errors import BadInput
from sam_crack.measure.centreline import Line, Prober, lay_lines
from sam_crack.measure.ground import Ground, Kind, Scheme, heading, kind_of, measure_ground
from sam_crack.measure.metrics import Mask, as_bytes
from sam_crack.measure.road_camera import RoadCamera
from sam_crack.measure.road_lines import RoadLine, lay_on_road
from sam_crack.measure.skeleton import Graph, prune, thin, trace

Bytes = NDArray[np.uint8]
Labels: TypeAlias = NDArray[np.uint16] | NDArray[np.int32]
GAP_PX = 4  # gaps up to this many pixels are closed: the same crack goes on
MAX_RADIUS_PX = 64  # twice this is a quarter of a metre, even where a pixel is 2 mm


@dataclass(frozen=True, kw_only=True, eq=False)
class Crack:
    """One crack of one frame."""

    id: int
    """Counted from 1 within the frame."""
    bbox: tuple[int, int, int, int]
    """First row, first column, past-the-last row, past-the-last column."""
    length_px: float
    """All branches, from tip to tip."""
    width_mean_px: float
    """Across the crack."""
    width_p95_px: float
    """Width that 95 % of the places stay below."""
    width_max_px: float
    """Largest width."""
    area_px: int
    """Pixels of the mask, closed gaps left out."""
    orientation_deg: float
    """0 runs ahead, 90 across, positive leans right; on the road, without camera in the frame."""
    kind: Kind
    """By orientation (30 and 60 degrees); a net with closed cells is alligator."""
    num_branches: int
    """Lines between junctions."""
    num_loops: int
    """Closed cells."""
    mean_prob: float | None
    """Mean probability of its pixels, where probabilities were given."""
    ground: Ground | None
    """Millimetres, where a camera was given and the crack lies below the horizon."""
    lines: tuple[NDArray[np.float32], ...]
    """Centre line of each branch, (n, 2) as (y, x)."""
    road: tuple[RoadLine, ...] = ()
    """The same on the road in short pieces, where a camera was given and it is near enough."""

    def row(self) -> dict[str, object]:
        """Every figure as one flat, JSON-able row in a fixed order; without the lines."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        del own["lines"], own["road"]
        top, left, bottom, right = own.pop("bbox")
        ground = own.pop("ground")
        own |= {"top": top, "left": left, "bottom": bottom, "right": right}
        own |= asdict(ground) if ground else dict.fromkeys(Ground.__dataclass_fields__)
        return {name: round(v, 4) if isinstance(v, float) else v for name, v in own.items()}


def measure_cracks(
    mask: Mask,
    *,
    prob: Bytes | None = None,
    camera: RoadCamera | None = None,
    min_length_px: float = 20.0,
    scheme: Scheme = "astm-ac",
) -> list[Crack]:
    """Measure every crack of a mask.

    A crack is what hangs together over 8 neighbours once gaps up to GAP_PX are closed. Lengths
    run along smoothed centre lines and reach to the tips; widths are taken across the line from
    edge to edge, to parts of a pixel, and averaged over ten pixels of line.

    Args:
        mask: (height, width), bool or uint8; anything above 0 is crack.
        prob: Probability levels 0..255 of the same frame.
        camera: Gives millimetres; made for the mask's size.
        min_length_px: Shorter ones are left out.
        scheme: Whose limits name the severity.
    """
    crack_px = as_bytes(mask)
    _check_size("probability", prob.shape if prob is not None else None, crack_px.shape)
    _check_size("camera", camera.size if camera else None, crack_px.shape)
    framed, origin = _framed(crack_px)
    closed = cv2.morphologyEx(framed, cv2.MORPH_CLOSE, np.ones((GAP_PX + 1,) * 2, np.uint8))
    labels, boxes, closed = _components(closed, min_length_px)
    cracks: list[Crack] = []
    for label, (lines, num_loops) in sorted(_all_lines(closed, labels, framed).items()):
        own = [line.moved(origin) for line in lines]
        if sum(line.length_px for line in own) < min_length_px:
            continue
        left, top, width, height = (int(value) for value in boxes[label, :4])
        area = slice(top, top + height), slice(left, left + width)
        pixels = cv2.bitwise_and(framed[area], (labels[area] == label).view(np.uint8))
        top, left = top + origin[0], left + origin[1]
        in_frame = slice(top, top + height), slice(left, left + width)
        mean_prob = None if prob is None else cv2.mean(prob[in_frame], pixels)[0] / 255
        crack = Crack(
            id=len(cracks) + 1,
            bbox=(top, left, top + height, left + width),
            area_px=cv2.countNonZero(pixels),
            mean_prob=mean_prob,
            **_figures(own, num_loops, camera, scheme),
        )
        cracks.append(crack)
    return cracks


def _check_size(what: str, given: tuple[int, ...] | None, size: tuple[int, ...]) -> None:
    """Refuse what belongs to a frame of another size."""
    if given is not None and tuple(given) != tuple(size):
        raise BadInput(
            f"a {what} for frames of {given[0]} x {given[1]}",
            f"the mask's height and width, {size[0]} x {size[1]}",
        )


def _framed(mask: Bytes) -> tuple[Bytes, tuple[int, int]]:
    """Cut out the part with foreground, as 0 and 255 in an empty border; and where it lay."""
    border = GAP_PX + 2
    left, top, width, height = cv2.boundingRect(mask)
    if not width:
        return np.zeros((2 * border,) * 2, np.uint8), (0, 0)
    part = mask[top : top + height, left : left + width]
    _, part = cv2.threshold(part, 0, 255, cv2.THRESH_BINARY)
    framed = cv2.copyMakeBorder(part, *(border,) * 4, cv2.BORDER_CONSTANT, value=0)
    return framed, (top - border, left - border)


def _components(closed: Bytes, min_length_px: float) -> tuple[Labels, NDArray[np.int32], Bytes]:
    """Label what hangs together; drop what is too small for a line of the smallest length."""
    # 16 bit is three times faster, and enough unless the mask is noise
    depth = cv2.CV_16U if cv2.countNonZero(closed) < 2**16 * 4 else cv2.CV_32S
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(closed, connectivity=8, ltype=depth)
    # a line of n pixels is at most 1.5 n long, tips included
    keep = boxes[:, cv2.CC_STAT_AREA] * 1.5 + 2 >= min_length_px
    keep[0] = False
    if not keep[1:].all():
        closed = (keep * np.uint8(255))[labels]
    return labels, boxes, closed


def _all_lines(closed: Bytes, labels: Labels, framed: Bytes) -> dict[int, tuple[list[Line], int]]:
    """Component to its lines and closed cells; widths are those of the mask before closing.

    Thinning takes as many rounds as a component is thick. What is thicker than any crack is
    measured on a smaller mask, so that a bad mask costs no minutes.
    """
    radius_px = cv2.distanceTransform(closed, cv2.DIST_L2, 5)
    largest = float(radius_px.max())
    if largest <= MAX_RADIUS_PX:
        return _lines(closed, labels, radius_px, framed)
    thick = np.unique(labels[radius_px > MAX_RADIUS_PX])
    is_thick = np.isin(labels, thick)
    factor = int(np.ceil(2 * largest / MAX_RADIUS_PX))
    blocks = _blocks(np.where(is_thick, labels, 0), factor)
    coarse = (blocks > 0).astype(np.uint8) * np.uint8(255)
    coarse_radius = cv2.distanceTransform(coarse, cv2.DIST_L2, 5)
    found = {
        label: ([line.scaled(factor) for line in lines], num_loops)
        for label, (lines, num_loops) in _lines(coarse, blocks, coarse_radius, coarse).items()
    }
    fine = np.where(is_thick, np.uint8(0), closed)
    fine_radius = np.where(is_thick, np.float32(0), radius_px)
    return found | _lines(fine, labels, fine_radius, framed)


def _blocks(labels: Labels, factor: int) -> Labels:
    """Reduce labels by a factor: the largest of each block, in an empty border."""
    below, right = (-side % factor for side in labels.shape)
    padded = np.pad(labels, ((0, below), (0, right)))
    height, width = (side // factor for side in padded.shape)
    smaller: Labels = padded.reshape(height, factor, width, factor).max(axis=(1, 3))
    smaller[[0, -1]] = 0
    smaller[:, [0, -1]] = 0
    return smaller


def _lines(
    closed: Bytes, labels: Labels, radius_px: NDArray[np.float32], framed: Bytes
) -> dict[int, tuple[list[Line], int]]:
    """Component to its lines and closed cells, at the mask's own scale."""
    graph = prune(trace(thin(closed, float(radius_px.max()))), radius_px)
    groups: dict[int, list[int]] = {}
    for number, branch in enumerate(graph.branches):
        y, x = branch.points[0]
        groups.setdefault(int(labels[y, x]), []).append(number)
    lines = lay_lines(graph, Prober(framed, radius_px, closed=closed))
    return {
        label: (
            [lines[number] for number in numbers],
            Graph(graph.nodes, tuple(graph.branches[number] for number in numbers)).num_loops,
        )
        for label, numbers in groups.items()
    }


def _figures(
    lines: list[Line], num_loops: int, camera: RoadCamera | None, scheme: Scheme
) -> dict[str, Any]:
    """Everything about a crack that follows from its lines alone."""
    widths = np.concatenate([line.widths_px for line in lines])
    points = np.concatenate([line.points for line in lines])
    ground = measure_ground(lines, camera, scheme) if camera else None
    if ground is not None and camera is not None:
        spots = camera.to_ground(points)
        angle = heading(spots[np.isfinite(spots).all(axis=1)])
        road = lay_on_road(lines, camera, width_mm=ground.width_mean_mm)
    else:
        road = ()
        angle = heading(points[:, ::-1] * (1, -1))
    return {
        "length_px": sum(line.length_px for line in lines),
        "width_mean_px": float(widths.mean()),
        "width_p95_px": float(np.quantile(widths, 0.95)),
        "width_max_px": float(widths.max()),
        "orientation_deg": angle,
        "kind": kind_of(angle, num_loops),
        "num_branches": len(lines),
        "num_loops": num_loops,
        "ground": ground,
        "road": road,
        "lines": tuple(line.points.astype(np.float32) for line in lines),
    }


NOT_FLAT = {"bbox", "ground", "lines", "road"}
ROW_COLUMNS = (
    *(field.name for field in fields(Crack) if field.name not in NOT_FLAT),
    *("top", "left", "bottom", "right"),
    *(field.name for field in fields(Ground)),
)
"""Names of the figures of `Crack.row`, in its order."""
