"""Every data set, read from a tiny tree in its exact published layout."""

import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from sam_crack.data.dataset import Dataset, open_dataset
from sam_crack.data.sets.catalogue import DATASETS
from tests.data.sets import fake_layouts, fake_medical, fake_streets
from tests.data.sets.fake_layouts import Frame, Tree

WRITERS = fake_layouts.ROADS | fake_streets.STREETS | fake_medical.MEDICAL
FORMS = {name: (name, writer) for name, writer in WRITERS.items()} | {
    "cocostuff 10k": ("cocostuff", fake_streets.write_cocostuff_10k),
    "kumar unsplit": ("kumar", fake_medical.write_kumar_unsplit),
    "kumar mats": ("kumar", fake_medical.write_kumar_mats),
    "pannuke published": ("pannuke", fake_medical.write_pannuke_published),
    "monusac patients": ("monusac", fake_medical.write_monusac_patients),
    "citypersons boxes": ("citypersons", fake_streets.write_citypersons_boxes),
    "crack500 photos": ("crack500", fake_layouts.write_crack500_photos),
}


@pytest.fixture(params=FORMS)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Dataset, Tree]:
    """A tree's data set and what must come out of it."""
    name, writer = FORMS[request.param]
    tree = writer(tmp_path)
    return open_dataset(name, tmp_path), tree


def test_every_set_has_a_fake_layout():
    assert set(WRITERS) == set(DATASETS)


def test_frames_splits_and_groups(pair: tuple[Dataset, Tree]):
    dataset, tree = pair
    assert [record.id for record in dataset.records] == sorted(tree)
    for record in dataset.records:
        assert (record.split, record.group) == (tree[record.id].split, tree[record.id].group)


def test_every_pixel_has_its_class(pair: tuple[Dataset, Tree]):
    dataset, tree = pair
    for sample in dataset:
        expected: Frame = tree[sample.id]
        assert sample.image.dtype == np.uint8
        assert sample.image.shape == (*sample.mask.shape, 3)
        counted = Counter(sample.mask[sample.mask > 0].tolist())
        assert counted == expected.areas
        if expected.region is not None:
            assert sample.region.sum() == expected.region
        if expected.ignored is not None:
            assert sample.ignore.sum() == expected.ignored
            assert not sample.mask[sample.ignore].any()


def test_instances_agree_with_types_and_mask(pair: tuple[Dataset, Tree]):
    dataset, tree = pair
    for sample in dataset:
        if tree[sample.id].instances is None:
            continue
        numbers = set(np.unique(sample.instances[sample.instances > 0]).tolist())
        assert len(numbers) == tree[sample.id].instances
        assert numbers == set(sample.types)
        for number, kind in sample.types.items():
            assert (sample.mask[sample.instances == number] == kind).all()


def test_a_data_set_travels_to_other_processes(pair: tuple[Dataset, Tree]):
    dataset, _ = pair
    copy = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(copy[0].mask, dataset[0].mask)


def test_choosing_the_last_class_alone(pair: tuple[Dataset, Tree]):
    dataset, tree = pair
    kinds = [kind for frame in tree.values() for kind in frame.areas]
    chosen = dataset.spec.classes[max(kinds) - 1].name
    name = dataset.spec.name
    classes = (chosen,) if name != "folder" else ()
    alone = open_dataset(name, dataset.root, classes=classes)
    assert [each.name for each in alone.classes] == [chosen]
    for sample in alone:
        assert (sample.mask == 1).sum() == tree[sample.id].areas.get(max(kinds), 0)
        assert set(sample.types.values()) <= {1}
        assert set(np.unique(sample.mask)) <= {0, 1}
