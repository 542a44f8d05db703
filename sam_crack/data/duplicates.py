"""Pictures that are the same, or nearly, found without comparing all with all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

NEAR_BITS = 7
"""Bits in which the hashes of two pictures may differ to be compared at all."""
NEAR_LIKENESS = 0.85
"""Likeness from which two pictures count as one. Of 478 real photos (roads, pavement, X-rays,
tissue) no two reach 0.84; their copies at JPEG quality 40, at half size or 20 % brighter stay
above 0.87; cropped by more than 1 % they are not found."""
ALIKE = 0.6
"""Likeness from which a pair is worth a look."""
_SIDE, _BANDS = 64, 8
_FLAT = 4.0  # a sixteenth of a grey level at every point


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """What is kept of a picture to find its like."""

    code: int
    """64-bit perceptual hash: the signs of its lowest 63 cosine frequencies."""
    detail: NDArray[np.int8]
    """(4096,) its fine structure at 64 x 64, scaled to one length."""


class Pair(NamedTuple):
    """Two pictures that look alike; indices into the fingerprints."""

    first: int
    second: int
    likeness: float
    """Correlation of fine structure, 1 for the same picture."""


def fingerprint(image: NDArray[np.uint8]) -> Fingerprint | None:
    """Reduce an RGB picture to a hash and its fine structure; a flat one is like nothing."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    coarse = cv2.resize(small, (32, 32), interpolation=cv2.INTER_AREA)
    low = cv2.dct(coarse)[:8, :8].ravel()[1:]
    bits = np.append(low > np.median(low), False)
    detail = small - cv2.GaussianBlur(small, (0, 0), 2)
    detail -= detail.mean()
    length = float(np.linalg.norm(detail))
    if length < _FLAT:
        return None
    return Fingerprint(
        code=int(np.packbits(bits).view(np.uint64)[0]),
        # Elements of a unit vector of 4,096 are near 0.016: spread them over int8.
        detail=np.clip(np.round(detail.ravel() * (127 * 8 / length)), -127, 127).astype(np.int8),
    )


def likeness(first: Fingerprint, second: Fingerprint) -> float:
    """Correlation of the fine structure of two pictures, -1 to 1."""
    a, b = first.detail.astype(np.float32), second.detail.astype(np.float32)
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length else 0.0


def find_alike(
    prints: Sequence[Fingerprint | None], *, at_least: float = ALIKE, max_pairs: int = 20_000
) -> list[Pair]:
    """Return the pairs of pictures that look alike, the most alike first.

    Two hashes that differ in at most 7 bits agree in at least one of their 8 bytes, so only
    pictures that share a byte at a place are compared: nothing within 7 bits is missed.
    """
    known = [index for index, each in enumerate(prints) if each is not None]
    codes = np.array([each.code for each in prints if each is not None], np.uint64)
    found: dict[tuple[int, int], float] = {}
    for near in _near_codes(codes):
        for first, second in near:
            pair = known[first], known[second]
            a, b = prints[pair[0]], prints[pair[1]]
            if pair not in found and a is not None and b is not None:
                found[pair] = likeness(a, b)
    pairs = [Pair(*pair, value) for pair, value in found.items() if value >= at_least]
    return sorted(pairs, key=lambda pair: (-pair.likeness, pair.first, pair.second))[:max_pairs]


def _near_codes(codes: NDArray[np.uint64]) -> Iterable[list[tuple[int, int]]]:
    """Yield, bucket by bucket, the places of codes that differ in few bits."""
    parts = codes.view(np.uint8).reshape(-1, _BANDS)
    for band in range(_BANDS):
        order = np.argsort(parts[:, band], kind="stable")
        edges = np.flatnonzero(np.diff(parts[order, band], prepend=-1, append=-1))
        for start, stop in pairwise(edges):
            bucket = order[start:stop]
            for place, one in enumerate(bucket[:-1]):  # a row at a time: memory stays linear
                others = bucket[place + 1 :]
                near = others[np.bitwise_count(codes[others] ^ codes[one]) <= NEAR_BITS]
                if near.size:
                    yield [(min(int(one), int(o)), max(int(one), int(o))) for o in near]


def same_values(values: Iterable[str]) -> list[list[int]]:
    """Group the places of equal values; empty values are equal to nothing."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, value in enumerate(values):
        if value:
            places[value].append(place)
    return [group for group in places.values() if len(group) > 1]
