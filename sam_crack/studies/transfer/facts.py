"""What others have published on the sets of a transfer, and how their protocol differs from ours.

The figures are those gathered when this package was designed: the best or a range of recent
methods, each tuned on the whole training set. They say what is possible, not what was re-run here.
"""

from __future__ import annotations

from dataclasses import dataclass

WHOLE = "trained to convergence on every training image, of the published sizes and splits"


@dataclass(frozen=True, kw_only=True)
class Published:
    """One figure of others."""

    score: str
    """Our name of the same quantity."""
    value: str
    source: str
    """Whose data it is about; the method's own paper where it is known."""
    protocol: str
    """How it was taken."""


KUMAR = "data: Kumar et al., IEEE Transactions on Medical Imaging 2017"
CONSEP = "data: Graham et al., Medical Image Analysis 2019"
CPM17 = "data: Vu et al., Frontiers in Bioengineering and Biotechnology 2019"
PANNUKE = "data: Gamper et al., arXiv 2003.10778"

PUBLISHED: dict[str, tuple[Published, ...]] = {
    "crass12": (
        Published(
            score="iou_pooled",
            value=".86",
            source="data and task: Hogeweg et al., Medical Image Analysis 2012",
            protocol="mean overlap per clavicle, between methods, on full-size X-rays of CRASS12",
        ),
    ),
    "kumar": (
        Published(
            score="aji_per_image",
            value=".62 to .69",
            source=f"range of recent methods; {KUMAR}",
            protocol=f"mean over images of AJI; {WHOLE} (16 / 14 images)",
        ),
    ),
    "consep": (
        Published(
            score="aji_per_image",
            value=".60",
            source=f"a recent method; {CONSEP}",
            protocol=f"mean over whole 1000 x 1000 images; {WHOLE} (27 / 14 images)",
        ),
        Published(
            score="pq_per_image",
            value=".55",
            source=f"a recent method; {CONSEP}",
            protocol="mean over whole 1000 x 1000 images, classes not told apart",
        ),
        Published(
            score="f1_per_image",
            value=".85 (Dice)",
            source=f"a recent method; {CONSEP}",
            protocol="mean over whole 1000 x 1000 images",
        ),
    ),
    "cpm17": (
        Published(
            score="aji_per_image",
            value=".743 (plain SAM, tuned: .728)",
            source=f"a method built on SAM; {CPM17}",
            protocol=f"mean over images; {WHOLE} (32 / 32 images)",
        ),
        Published(
            score="pq_per_image",
            value=".748 (plain SAM, tuned: .723)",
            source=f"a method built on SAM; {CPM17}",
            protocol=f"mean over images; {WHOLE} (32 / 32 images)",
        ),
    ),
    "pannuke": (
        Published(
            score="bpq@pannuke",
            value=".70",
            source=f"a recent method; {PANNUKE}",
            protocol="mean over the three folds, each tested once; the rule for empty patches "
            "alone moves PQ by two points",
        ),
        Published(
            score="mpq@pannuke",
            value=".55",
            source=f"a recent method; {PANNUKE}",
            protocol="mean over the three folds, each tested once",
        ),
    ),
}
"""Data set to what is known."""
