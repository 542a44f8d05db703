"""A store gives the very samples and crops that the plain files give, and can be interrupted."""

import json
import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam_crack.config.data_verbs import DataPrepareOptions
from sam_crack.config.schema import DataConfig
from sam_crack.console import Console
from sam_crack.data import prepare
from sam_crack.data.crops import CropDrawer
from sam_crack.data.dataset import open_dataset
from sam_crack.data.prepare import run_data_prepare
from sam_crack.data.sample import Sample
from sam_crack.data.sources import WholeFrame
from sam_crack.data.store import open_store
from sam_crack.data.stored import StoredFrame, num_planes, pack
from sam_crack.errors import BadInput, IntegrityError, UsageError
from tests.data.sets import fake_layouts, fake_medical, fake_streets
from tests.data.small_set import write_set

WRITERS = fake_layouts.ROADS | fake_streets.STREETS | fake_medical.MEDICAL


def made(root: Path, out: Path, name: str = "uav", **options: object) -> dict:
    given = {"name": name, "root": root, "out": out, "workers": 0} | options
    return run_data_prepare(DataPrepareOptions(**given), Console(quiet=True))


def same(first: Sample, second: Sample) -> None:
    """Assert that two samples are equal in every field."""
    for field in ("image", "mask", "instances", "region", "ignore"):
        a, b = getattr(first, field), getattr(second, field)
        assert (a is None) == (b is None), field
        if a is not None:
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
    assert (first.id, first.group, first.types) == (second.id, second.group, second.types)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_set(tmp_path / "set", 4)


@pytest.mark.parametrize("name", ["dnit", "consep", "kumar", "cityscapes", "voc", "pannuke", "cfd"])
def test_a_store_holds_every_sample_of_every_layout(tmp_path: Path, name: str):
    (tmp_path / "set").mkdir()
    WRITERS[name](tmp_path / "set")
    plain = open_dataset(name, tmp_path / "set")
    annotated = [index for index, record in enumerate(plain.records) if record.masks]
    splits = {plain.records[index].split for index in annotated}
    for split in splits:
        made(tmp_path / "set", tmp_path / "store", name, split=split)
    store = open_store(tmp_path / "store")
    assert len(store) == len(annotated)
    for record, sample in zip(store.records, store, strict=True):
        index = [each.id for each in plain.records].index(record.id)
        same(sample, plain[index])
        assert record.split == plain.records[index].split
    store.verify()


def full_sample(seed: int) -> Sample:
    """A sample with everything, of an odd size."""
    rng = np.random.default_rng(seed)
    size = (75, 93)
    return Sample(
        id="a/b",
        image=rng.integers(0, 256, (*size, 3), np.uint8),
        mask=rng.integers(0, 4, size, np.uint8) * (rng.random(size) < 0.2),
        instances=rng.integers(0, 70_000, size, np.int32),
        types={3: 1, 70: 2},
        region=rng.random(size) < 0.7,
        ignore=rng.random(size) < 0.1,
        group="g",
    )


@pytest.fixture
def both(tmp_path: Path) -> tuple[WholeFrame, StoredFrame]:
    sample = full_sample(1)
    content, facts = pack(sample, 3)
    (tmp_path / "a.raw").write_bytes(content)
    facts = json.loads(json.dumps(facts))
    return WholeFrame(sample), StoredFrame(tmp_path / "a.raw", facts)


def test_a_stored_frame_answers_as_a_decoded_one(both: tuple[WholeFrame, StoredFrame]):
    plain, stored = both
    assert (plain.id, plain.size, plain.num_foreground) == (
        stored.id,
        stored.size,
        stored.num_foreground,
    )
    for number in range(plain.num_foreground):
        assert plain.foreground(number) == stored.foreground(number)
    np.testing.assert_array_equal(plain.cells.filled, stored.cells.filled)
    np.testing.assert_array_equal(plain.cells.hard, stored.cells.hard)


def test_cuts_are_equal_inside_across_and_outside(both: tuple[WholeFrame, StoredFrame]):
    plain, stored = both
    rng = np.random.default_rng(2)
    for _ in range(60):
        top, left = (int(at) for at in rng.integers(-60, 110, 2))
        size = tuple(int(side) for side in rng.integers(1, 120, 2))
        same(plain.cut(top, left, size), stored.cut(top, left, size))


@pytest.mark.parametrize("name", ["uav", "consep"])
def test_crops_are_those_of_the_plain_files(tmp_path: Path, root: Path, name: str):
    if name != "uav":
        (tmp_path / "other").mkdir()
        WRITERS[name](tmp_path / "other")
        root = tmp_path / "other"
    made(root, tmp_path / "store", name)
    config = DataConfig(scale=(0.5, 2.0), bend_share=0.5, hard_share=0.5, stain=0.5)
    plain, store = (
        CropDrawer(samples, (32, 40), config=config, seed=5)
        for samples in (open_dataset(name, root), open_store(tmp_path / "store"))
    )
    for number in range(40):
        first, second = plain.draw(number), store.draw(number)
        assert first.sample_id == second.sample_id
        for field in ("pixels", "target", "valid", "instances", "region"):
            np.testing.assert_array_equal(getattr(first, field), getattr(second, field))


@pytest.mark.parametrize(("classes", "planes"), [(1, 1), (2, 2), (3, 2), (4, 3), (33, 6), (182, 8)])
def test_a_mask_takes_the_bits_it_needs(classes: int, planes: int):
    assert num_planes(classes) == planes


def test_a_stopped_store_goes_on(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out, written = tmp_path / "store", []
    real = prepare.durable.write_bytes

    def stop_at_third(path: Path, content: bytes) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path.name)
        real(path, content)

    monkeypatch.setattr(prepare.durable, "write_bytes", stop_at_third)
    monkeypatch.setattr(prepare.durable, "write_text", lambda path, text: real(path, text.encode()))
    with pytest.raises(KeyboardInterrupt):
        made(root, out)
    with pytest.raises(BadInput, match="no finished store"):
        open_store(out)
    written.clear()
    monkeypatch.setattr(prepare.durable, "write_bytes", real)
    assert made(root, out)["already_there"] == 2
    assert made(root, out)["written"] == 0
    open_store(out).verify()


def test_changed_and_damaged_frames_are_made_again(root: Path, tmp_path: Path):
    out = tmp_path / "store"
    made(root, out)
    mask = np.zeros((96, 128), np.uint8)
    Image.fromarray(mask).save(root / "masks" / "f001.png")
    assert made(root, out)["written"] == 1
    path = sorted((out / "frames").glob("*.raw"))[2]
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match="not what was prepared"):
        open_store(out).verify()
    assert made(root, out)["written"] == 0  # hashes are compared when asked for
    assert made(root, out, verify=True)["written"] == 1
    open_store(out).verify()


def test_a_truncated_frame_is_named(root: Path, tmp_path: Path):
    made(root, tmp_path / "store")
    path = next((tmp_path / "store" / "frames").glob("*.raw"))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(IntegrityError, match="run `sam-crack data prepare` again"):
        list(open_store(tmp_path / "store"))


def test_size_is_announced_and_refused_before_writing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out = tmp_path / "store"
    announced = made(root, out, dry_run=True)["bytes_to_write"]
    assert not out.exists()
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 0, announced - 1))
    with pytest.raises(BadInput, match="free"):
        made(root, out)
    assert not out.exists()
    monkeypatch.undo()
    assert made(root, out)["bytes"] == pytest.approx(announced, rel=0.05)


def test_another_set_or_folder_is_refused(root: Path, tmp_path: Path):
    made(root, tmp_path / "store")
    with pytest.raises(UsageError, match="a store of uav"):
        made(root, tmp_path / "store", "folder")
    with pytest.raises(UsageError, match="not empty"):
        made(root, root)


def test_splits_of_a_store(root: Path, tmp_path: Path):
    made(root, tmp_path / "store")
    assert [each.id for each in open_store(tmp_path / "store", split="val").records] == [
        "f002",
        "f003",
    ]
    with pytest.raises(BadInput, match="found train, val"):
        open_store(tmp_path / "store", split="test")
    with pytest.raises(BadInput, match="prepared with the classes crack"):
        open_store(tmp_path / "store", classes=("pothole",))


def test_a_damaged_index_is_answered_and_never_followed_elsewhere(root: Path, tmp_path: Path):
    made(root, tmp_path / "store")
    path = tmp_path / "store" / "store.json"
    sound = path.read_bytes()
    rng, answered = np.random.default_rng(3), 0
    for _ in range(150):
        content = bytearray(sound)
        for at in rng.integers(0, len(content), rng.integers(1, 6)):
            content[at] = rng.integers(32, 127)
        path.write_bytes(content)
        try:
            store = open_store(tmp_path / "store")
            drawer = CropDrawer(store, (32, 32), config=DataConfig(), seed=0)
            for number in range(len(store)):
                drawer.draw(number)
        except (BadInput, IntegrityError):
            answered += 1
    assert answered > 30
    path.write_bytes(sound.replace(b'"file":"', b'"file":"../'))
    with pytest.raises(BadInput, match="no finished store"):
        open_store(tmp_path / "store")
