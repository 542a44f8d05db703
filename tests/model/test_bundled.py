"""The checkpoints that come with the package load by name, are small, and find cracks."""

from pathlib import Path

import numpy as np
import pytest

from sam_crack.config.load import shipped_folder
from sam_crack.data.opening import open_samples
from sam_crack.data.synth.frame import render_frame, view_of
from sam_crack.infer.camera_scale import camera_factor
from sam_crack.infer.predict import Predictor
from sam_crack.infer.scaled import by_factor
from sam_crack.measure.metrics import Counts, count, f1
from sam_crack.model.checkpoint import load_checkpoint
from sam_crack.model.description import DESCRIPTION, read_description

BUNDLED = sorted(path.parent for path in shipped_folder("checkpoints").glob(f"*/{DESCRIPTION}"))


@pytest.mark.parametrize("folder", BUNDLED, ids=lambda folder: folder.name)
def test_it_is_small_and_has_a_card(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert max(path.stat().st_size for path in files) < 5_000_000
    assert "## Data" in (folder / "CARD.md").read_text()
    assert not [path for path in files if path.suffix in {".pt", ".pth", ".bin"}]


def test_practice_looks_at_a_rendered_drive_as_it_is() -> None:
    scale = read_description(shipped_folder("checkpoints") / "practice")["meta"]["scale"]
    assert camera_factor(view_of(4, 1).camera, scale["gsd_mm"]) == pytest.approx(1, abs=0.3)


@pytest.mark.weights
def test_practice_finds_cracks_on_a_road_it_has_not_seen(mobile_sam_path: Path) -> None:
    assert mobile_sam_path.is_file()
    segmenter, meta = load_checkpoint(Path("practice"))
    frame = render_frame(4, 1)
    # One near stretch of the road, three windows wide, is enough and takes seconds.
    part = (slice(1100, 1548), slice(1000, 2344))
    look = Predictor(
        segmenter, window=segmenter.config.window, stride=segmenter.stride, threshold=meta.threshold
    )
    found = look.frame(np.ascontiguousarray(frame.image[part])).mask
    counts = count(found, np.ascontiguousarray(frame.mask[part]))
    assert counts.tp + counts.fn > 500, "there is something to find here"
    assert (f1(counts, empty="zero") or 0.0) > 0.2


@pytest.mark.weights
@pytest.mark.realdata
def test_road_finds_cracks_on_a_section_it_has_not_learnt_from(
    mobile_sam_path: Path, data_root: Path
) -> None:
    assert mobile_sam_path.is_file()
    segmenter, meta = load_checkpoint(Path("road"))
    frames = open_samples("dnit", data_root / "dnit", split="val", classes=("crack",))
    look = Predictor(
        segmenter, window=segmenter.config.window, stride=segmenter.stride, threshold=meta.threshold
    )
    assert meta.scale is not None
    counts = Counts()
    for sample in (frames[place] for place in (20, 40)):
        mask = by_factor(look, meta.scale.factor).frame(sample.image).mask
        counts += count(mask, sample.mask)
    assert counts.tp + counts.fn > 500, "there is something to find here"
    assert (f1(counts, empty="zero") or 0.0) > 0.3
