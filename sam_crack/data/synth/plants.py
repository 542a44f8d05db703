"""Trees, bushes and grass tufts as flat pictures with transparency, leaf by leaf."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
SIDE = 512
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
    """Leaves in clumps (y, x, radius): dark ones inside first, lit ones outside last."""
    canvas = np.zeros((SIDE, SIDE, 4), np.float32)
    own = rng.integers(len(clumps), size=leaves)
    angle, out = rng.uniform(0, 2 * np.pi, leaves), np.abs(rng.normal(0, 0.62, leaves))
    radius = clumps[own, 2] * out
    y = clumps[own, 0] + radius * np.sin(angle)
    x = clumps[own, 1] + radius * np.cos(angle)
    facing = -0.75 * np.sin(angle) * out - 0.5 * np.cos(angle) * out  # up and to the left
    top = (SIDE * 0.5 - y) / SIDE
    bright = 0.5 + 0.3 * facing + 0.45 * top + 0.14 * rng.normal(size=leaves)
    bright = np.where(np.arange(leaves) < leaves * 0.35, 0.25 * bright, bright)
    base = np.array([0.085, 0.118, 0.034])
    for i in range(leaves):
        value = max(float(bright[i]), 0.06) * base * (1 + 0.25 * max(float(bright[i]), 0))
        centre = (round(float(x[i]) * 8), round(float(y[i]) * 8))
        axes = (round(float(rng.uniform(1.5, 4.5)) * 8), round(float(rng.uniform(1, 3)) * 8))
        turn = float(rng.uniform(0, 180))
        colour = (float(value[0]), float(value[1]), float(value[2]), 1.0)
        cv2.ellipse(canvas, centre, axes, turn, 0, 360, colour, -1, cv2.LINE_8, 3)
    return canvas


def _tree(rng: np.random.Generator) -> Sprite:
    count = int(rng.integers(38, 60))
    spread, low = rng.uniform(0.6, 1.0), rng.uniform(0.62, 0.8)
    turn, out = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.random(count))
    middle = (low + 0.1) / 2
    clumps = np.stack(
        [
            SIDE * (middle + (low - 0.1) / 2 * out * np.sin(turn)),
            SIDE * (0.5 + 0.36 * spread * out * np.cos(turn)),
            SIDE * rng.uniform(0.03, 0.09, count),
        ],
        axis=1,
    )
    canvas = _foliage(rng, clumps, 7000)
    trunk = np.array([[-0.012, 0.3], [0.012, 0.3], [0.024, 1.0], [-0.024, 1.0]])
    behind = np.zeros((SIDE, SIDE), np.uint8)
    corners = np.round((trunk + np.array([0.5, 0.0])) * SIDE).astype(np.int32)
    cv2.fillPoly(behind, [corners], 255)
    for y, x, _ in clumps[:7]:
        start, end = (SIDE // 2, round(SIDE * float(rng.uniform(0.5, 0.7)))), (round(x), round(y))
        cv2.line(behind, start, end, 255, 5)
    bark = (behind > 0) & (canvas[..., 3] == 0)
    canvas[bark, :3] = np.array([0.05, 0.042, 0.034]) * rng.uniform(0.6, 1.3)
    canvas[bark, 3] = 1.0
    return _levels(canvas)


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
    return _levels(_foliage(rng, clumps, 3500))


def _tuft(rng: np.random.Generator) -> Sprite:
    """Blades that fan out from the foot, some of them dry."""
    canvas = np.zeros((SIDE, SIDE, 4), np.float32)
    for _ in range(150):
        foot = SIDE * float(np.clip(rng.normal(0.5, 0.13), 0.05, 0.95))
        lean, tall = float(rng.normal(0, 0.2)), float(rng.uniform(0.3, 0.98))
        share = np.linspace(0, 1, 6)
        x = foot + SIDE * lean * share**1.7
        y = SIDE * (1.0 - tall * share)
        dry = rng.random() < 0.3
        green = np.array([0.2, 0.17, 0.075]) if dry else np.array([0.085, 0.13, 0.03])
        value = green * rng.uniform(0.45, 1.25)
        colour = (float(value[0]), float(value[1]), float(value[2]), 1.0)
        points = [np.round(np.stack([x, y], axis=1)).astype(np.int32)]
        thick = int(rng.integers(2, 7))
        cv2.polylines(canvas, points, False, colour, thick)
    return _levels(canvas)


def place_sprite(
    light: Plane,
    front: NDArray[np.bool_],
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
    height, width = light.shape[:2]
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
    part = light[top:bottom, left:right]
    part *= 1.0 - drawn[..., 3:]
    part += drawn[..., :3] * tint
    front[top:bottom, left:right] |= drawn[..., 3] > 0.5
