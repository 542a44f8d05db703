"""Trees, bushes and grass tufts as flat pictures with transparency, leaf by leaf."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_crack.data.synth.canvas import Canvas

Plane = NDArray[np.float32]
SIDE = 640
VARIANTS = 6


@dataclass(frozen=True)
class Sprite:
    """Light times opacity, and opacity, halved again and again for far away: (h, w, 4) each.

    The foot is the middle of the lowest row; the picture is as wide as it is tall.
    """

    levels: tuple[Plane, ...]

    def of_height(self, pixels: float) -> Plane:
        """Return the level to draw at a height, never more than twice as fine as needed."""
        wanted = max(np.floor(np.log2(SIDE / max(pixels, 1.0))), 0)
        return self.levels[int(min(wanted, len(self.levels) - 1))]


def _levels(canvas: Plane) -> Sprite:
    """Soften the rim, and make the ever smaller versions."""
    levels = [cv2.GaussianBlur(canvas, (3, 3), 0).astype(np.float32, copy=False)]
    while min(levels[-1].shape[:2]) > 8:
        levels.append(cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    return Sprite(tuple(levels))


@lru_cache(maxsize=4)
def sprites(kind: str) -> tuple[Sprite, ...]:
    """Draw the plants of all drives, lit from the left."""
    rng = np.random.default_rng([61, len(kind)])
    makers = {"tree": _tree, "bush": _bush, "tuft": _tuft}
    return tuple(makers[kind](rng) for _ in range(VARIANTS))


def _foliage(rng: np.random.Generator, clumps: NDArray[np.float64], leaves: int) -> Plane:
    """Leaves in clumps (y, x, radius), clump over clump, in each the lit ones over the dark."""
    canvas = np.zeros((SIDE, SIDE, 4), np.float32)
    own = np.sort(rng.integers(len(clumps), size=leaves))
    angle = rng.uniform(0, 2 * np.pi, leaves)
    out = np.minimum(np.abs(rng.normal(0, 0.6, leaves)), 1.5)
    y = clumps[own, 0] + clumps[own, 2] * out * np.sin(angle)
    x = clumps[own, 1] + clumps[own, 2] * out * np.cos(angle)
    facing = -(0.8 * np.sin(angle) + 0.5 * np.cos(angle)) * np.minimum(out, 1.0)  # up and left
    middle, reach = clumps.mean(axis=0), np.ptp(clumps, axis=0) + 1.0
    crown = -((y - middle[0]) / reach[0] + 0.6 * (x - middle[1]) / reach[1])
    bright = 0.44 + 0.36 * facing + 0.38 * crown + 0.12 * rng.normal(size=leaves)
    order = np.lexsort((bright + 0.3 * rng.normal(size=leaves), own))
    base = np.array([0.085, 0.118, 0.034])
    long, short = rng.uniform(1.3, 3.6, leaves), rng.uniform(0.9, 2.2, leaves)
    for i in order:
        value = max(float(bright[i]), 0.05) * base * (1 + 0.3 * max(float(bright[i]), 0))
        centre = (round(float(x[i]) * 8), round(float(y[i]) * 8))
        axes = (round(float(long[i]) * 8), round(float(short[i]) * 8))
        colour = (float(value[0]), float(value[1]), float(value[2]), 1.0)
        cv2.ellipse(canvas, centre, axes, float(i * 37 % 180), 0, 360, colour, -1, cv2.LINE_8, 3)
    return canvas


def _tree(rng: np.random.Generator) -> Sprite:
    count = int(rng.integers(45, 70))
    spread, low = rng.uniform(0.6, 1.0), rng.uniform(0.64, 0.82)
    turn, out = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.random(count))
    middle = (low + 0.1) / 2
    clumps = np.stack(
        [
            SIDE * (middle + (low - 0.1) / 2 * out * np.sin(turn)),
            SIDE * (0.5 + 0.36 * spread * out * np.cos(turn)),
            SIDE * rng.uniform(0.035, 0.085, count),
        ],
        axis=1,
    )
    canvas = _foliage(rng, clumps, 9000)
    _add_wood(rng, canvas, clumps)
    _add_blades(rng, canvas, number=40, wide=0.05, tall=0.035)
    return _levels(canvas)


def _add_wood(rng: np.random.Generator, canvas: Plane, clumps: NDArray[np.float64]) -> None:
    """Trunk and boughs behind the leaves, lit from the left."""
    behind = np.zeros((SIDE, SIDE), np.uint8)
    trunk = np.array(
        [[-0.006, 0.3], [0.006, 0.3], [0.013, 0.9], [0.019, 1], [-0.019, 1], [-0.013, 0.9]]
    )
    corners = np.round((trunk + np.array([0.5, 0.0])) * SIDE).astype(np.int32)
    cv2.fillPoly(behind, [corners], 255)
    for y, x, _ in clumps[:9]:
        foot = (SIDE // 2, round(SIDE * float(rng.uniform(0.5, 0.75))))
        cv2.line(behind, foot, (round(x), round(y)), 255, 4)
    bark = (behind > 0) & (canvas[..., 3] == 0)
    across = np.broadcast_to(np.linspace(-0.5, 0.5, SIDE, dtype=np.float32), (SIDE, SIDE))
    shade = np.clip(0.8 - 20 * across, 0.45, 1.3) * rng.uniform(0.6, 1.4, (SIDE, SIDE))
    canvas[bark, :3] = np.array([0.06, 0.05, 0.04]) * shade[bark][:, None]
    canvas[bark, 3] = 1.0


def _add_blades(
    rng: np.random.Generator, canvas: Plane, *, number: int, wide: float, tall: float
) -> None:
    """Blades that fan out from the foot, some of them dry; sizes in picture sides."""
    for _ in range(number):
        foot = SIDE * float(np.clip(rng.normal(0.5, wide), 0.05, 0.95))
        lean, up = float(rng.normal(0, 0.2)) * tall, float(rng.uniform(0.3, 1.0)) * tall
        share = np.linspace(0, 1, 6)
        x = foot + SIDE * lean * share**1.7
        y = SIDE * (1.0 - up * share)
        dry = rng.random() < 0.3
        green = np.array([0.2, 0.17, 0.075]) if dry else np.array([0.085, 0.13, 0.03])
        value = green * rng.uniform(0.45, 1.25)
        colour = (float(value[0]), float(value[1]), float(value[2]), 1.0)
        points = [np.round(np.stack([x, y], axis=1)).astype(np.int32)]
        cv2.polylines(canvas, points, False, colour, 1 + int(rng.integers(1, 6) * tall))


def _bush(rng: np.random.Generator) -> Sprite:
    count = int(rng.integers(14, 24))
    clumps = np.stack(
        [
            SIDE * np.clip(rng.normal(0.78, 0.13, count), 0.3, 0.97),
            SIDE * np.clip(rng.normal(0.5, 0.2, count), 0.15, 0.85),
            SIDE * rng.uniform(0.05, 0.12, count),
        ],
        axis=1,
    )
    return _levels(_foliage(rng, clumps, 4500))


def _tuft(rng: np.random.Generator) -> Sprite:
    canvas = np.zeros((SIDE, SIDE, 4), np.float32)
    _add_blades(rng, canvas, number=150, wide=0.13, tall=0.98)
    return _levels(canvas)


def place_sprite(
    canvas: Canvas,
    sprite: Sprite,
    *,
    at: tuple[float, float, float],
    tint: NDArray[np.float32],
    mirror: float,
) -> None:
    """Stand a sprite in the picture: `at` is foot (y, x) and height in pixels."""
    foot_y, foot_x, tall = at
    picture = sprite.of_height(tall)
    scale = tall / picture.shape[0]
    height, width = canvas.front.shape
    top, bottom = max(int(foot_y - tall) - 1, 0), min(int(foot_y) + 2, height)
    left, right = max(int(foot_x - tall / 2) - 1, 0), min(int(foot_x + tall / 2) + 2, width)
    if bottom <= top or right <= left:
        return
    side = picture.shape[1]
    move = np.array(
        [
            [scale * mirror, 0.0, foot_x - left - scale * mirror * side / 2],
            [0.0, scale, foot_y - tall - top],
        ]
    )
    drawn = cv2.warpAffine(picture, move, (right - left, bottom - top), flags=cv2.INTER_LINEAR)
    part = canvas.light[top:bottom, left:right]
    part *= 1.0 - drawn[..., 3:]
    part += drawn[..., :3] * tint
    canvas.front[top:bottom, left:right] |= drawn[..., 3] > 0.5
