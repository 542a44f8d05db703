"""Opening data sets: the sequence, its splits and classes, and what is said when it fails."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam_crack.data.dataset import Dataset, open_dataset
from sam_crack.errors import BadInput, UsageError
from tests.data.sets import fake_layouts, fake_medical, fake_streets
from tests.data.sets.fake_layouts import black_white, pattern, photo, picture, text


@pytest.fixture
def dnit(tmp_path: Path) -> Path:
    fake_layouts.write_dnit(tmp_path)
    return tmp_path


def test_a_data_set_is_a_sequence(dnit: Path):
    found = open_dataset("dnit", dnit)
    assert (len(found), len(found[1:]), found[-1].id) == (3, 2, found.records[-1].id)
    assert isinstance(found[1:], Dataset)
    assert [sample.id for sample in found] == [record.id for record in found.records]
    with pytest.raises(IndexError):
        found[3]


def test_picture_and_mask_are_read_apart(dnit: Path):
    found = open_dataset("dnit", dnit)
    next(dnit.rglob("*_RAW.jpg")).write_bytes(b"")
    assert found.read_mask(0).mask.any()
    with pytest.raises(BadInput, match="cannot be decoded"):
        found.read_image(0)


def test_overlapping_classes_stay_whole_when_chosen_alone(dnit: Path):
    for path in dnit.rglob("*_POTHOLE.png"):
        picture(path, np.full(fake_layouts.SIZE, 255, np.uint8))
    whole = open_dataset("dnit", dnit)[0].mask
    assert ((whole == 1).sum(), (whole == 2).sum()) == (15, whole.size - 15)
    assert open_dataset("dnit", dnit, classes=("pothole",))[0].mask.all()
    both = open_dataset("dnit", dnit, classes=("pothole", "crack"))[0].mask
    assert (both == 1).all()


def test_lists_can_lie_elsewhere(dnit: Path, tmp_path_factory: pytest.TempPathFactory):
    lists = tmp_path_factory.mktemp("lists")
    names = sorted(path.name for path in (dnit / "Dataset").iterdir())
    text(lists / "test.txt", "\n".join(names))
    assert len(open_dataset("dnit", dnit, split="test", lists=lists)) == 3
    with pytest.raises(BadInput, match="no frame in split train here; found test"):
        open_dataset("dnit", dnit, split="train", lists=lists)


def test_lists_of_paths_of_file_names_and_of_pairs(tmp_path: Path):
    for name in "abc":
        photo(tmp_path / "images" / f"{name}.jpg")
        black_white(tmp_path / "masks" / f"{name}.png", 1)
    text(tmp_path / "train.txt", "images/a.jpg masks/a.png\n\n")
    text(tmp_path / "val.txt", "\ufeffb.jpg\r\n")
    text(tmp_path / "test.txt", "/elsewhere/images/c.jpg\n")
    found = open_dataset("road420", tmp_path)
    assert [record.split for record in found.records] == ["train", "val", "test"]


def test_a_frame_in_two_lists_is_refused(dnit: Path):
    text(dnit / "val.txt", (dnit / "train.txt").read_text())
    with pytest.raises(BadInput, match=r"is also in train\.txt"):
        open_dataset("dnit", dnit)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ({"name": "dnti"}, "did you mean dnit"),
        ({"name": "zzz"}, "use `folder`"),
        ({"split": "trian"}, "did you mean train"),
        ({"classes": ("crak",)}, "did you mean crack"),
        ({"classes": ("crack", "crack")}, "each class once"),
    ],
)
def test_misspelling_is_answered_with_the_nearest(call: dict, said: str, dnit: Path):
    with pytest.raises(UsageError, match=said):
        open_dataset(**{"name": "dnit", "root": dnit} | call)


def test_a_missing_root_says_where_to_get_the_set(tmp_path: Path):
    with pytest.raises(BadInput, match=r"no such folder; the root of deepcrack: .*get it: https"):
        open_dataset("deepcrack", tmp_path / "absent")


def test_an_empty_root_says_what_was_looked_for(tmp_path: Path):
    with pytest.raises(BadInput, match=r"it holds nothing; looked for Dataset/<id>"):
        open_dataset("dnit", tmp_path)


def test_another_layout_is_recognised(dnit: Path):
    with pytest.raises(BadInput, match=r"it holds Dataset/, test\.txt.*this looks like dnit"):
        open_dataset("folder", dnit)
    with pytest.raises(BadInput, match="this looks like dnit"):
        open_dataset("kumar", dnit)


def test_pairs_of_ones_own_are_recognised_as_a_folder(tmp_path: Path):
    fake_layouts.write_pairs(tmp_path)
    with pytest.raises(BadInput, match="this looks like folder"):
        open_dataset("dnit", tmp_path)


def test_a_frame_without_annotation_is_listed_and_says_so(dnit: Path):
    for path in (*dnit.rglob("*_CRACK.png"), *dnit.rglob("*_POTHOLE.png")):
        path.unlink()
    found = open_dataset("dnit", dnit)
    assert len(found) == 3
    with pytest.raises(BadInput, match="no annotation was found"):
        found.read_mask(0)


def test_sizes_that_differ_are_refused_with_the_reason(tmp_path: Path):
    fake_layouts.write_pairs(tmp_path)
    picture(tmp_path / "masks" / "a 1.png", np.zeros((9, 9), np.uint8))
    with pytest.raises(BadInput, match=r"picture 24 x 40, mask 9 x 9 \(h x w\)"):
        open_dataset("road420", tmp_path)[0]


def test_a_turned_photo_with_an_unturned_mask_is_explained(tmp_path: Path):
    fake_layouts.write_pairs(tmp_path)
    image = Image.open(tmp_path / "images" / "a 1.png")
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "images" / "a 1.png", exif=exif)
    with pytest.raises(BadInput, match="before its EXIF orientation"):
        open_dataset("road420", tmp_path)[0]


def test_links_out_of_the_root_are_refused(tmp_path: Path):
    fake_layouts.write_pairs(tmp_path / "set")
    text(tmp_path / "secret.png", "")
    (tmp_path / "set" / "images" / "b.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(BadInput, match=r"a link to .* outside"):
        open_dataset("road420", tmp_path / "set")


def test_a_linked_folder_out_of_the_root_is_refused(tmp_path: Path):
    fake_layouts.write_crack500(tmp_path / "elsewhere")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "traincrop").symlink_to(tmp_path / "elsewhere" / "traincrop")
    with pytest.raises(BadInput, match="outside"):
        open_dataset("crack500", tmp_path / "set")


def test_links_inside_the_root_are_followed(tmp_path: Path):
    fake_layouts.write_pairs(tmp_path / "set")
    (tmp_path / "set" / "images" / "b.png").symlink_to(tmp_path / "set" / "images" / "a 1.png")
    (tmp_path / "link").symlink_to(tmp_path / "set")
    assert len(open_dataset("road420", tmp_path / "link")) == 2


def test_names_in_any_script_and_like_formulas(tmp_path: Path):
    for name in ("Straße 龟裂", "=1+1", "-a", "a.b.c"):
        photo(tmp_path / "images" / f"{name}.png")
        black_white(tmp_path / "masks" / f"{name}.png", 1)
    found = open_dataset("road420", tmp_path)
    assert {sample.id for sample in found} == {"Straße 龟裂", "=1+1", "-a", "a.b.c"}


def test_pannuke_reads_one_picture_at_a_time(tmp_path: Path):
    fake_medical.write_pannuke(tmp_path)
    found = open_dataset("pannuke", tmp_path, split="fold2")
    assert len(found) == 2
    assert (found.read_image(1) == 80).all()
    np.save(tmp_path / "fold2" / "masks.npy", np.zeros((3, 4, 4, 6)))
    with pytest.raises(BadInput, match="not as many masks as images"):
        open_dataset("pannuke", tmp_path)


def test_cityscapes_polygons_where_there_are_no_pictures_of_labels(tmp_path: Path):
    import json

    fake_streets.write_cityscapes(tmp_path)
    for path in tmp_path.rglob("*_gtFine_*.png"):
        path.unlink()
    content = {
        "imgHeight": 24,
        "imgWidth": 40,
        "objects": [
            {"label": "road", "polygon": [[0, 0], [40, 0], [40, 24], [0, 24]]},
            {"label": "cargroup", "polygon": [[3, 2], [9, 2], [9, 6], [3, 6]]},
        ],
    }
    for path in (tmp_path / "leftImg8bit").rglob("*.png"):
        relative = path.relative_to(tmp_path / "leftImg8bit").parent
        stem = path.stem.removesuffix("_leftImg8bit")
        text(tmp_path / "gtFine" / relative / f"{stem}_gtFine_polygons.json", json.dumps(content))
    sample = open_dataset("cityscapes", tmp_path)[0]
    assert (sample.mask == 14).sum() == 24
    assert (sample.mask == 1).sum() == 24 * 40 - 24
    assert not pattern().any()


def test_a_folder_of_drives_is_one_set_grouped_by_drive(tmp_path):
    for name in ("a", "b"):
        fake_layouts.write_synth(tmp_path / name)
    whole = open_dataset("synth", tmp_path)
    single = open_dataset("synth", tmp_path / "a")
    assert {record.group for record in whole.records} == {"a", "b"}
    assert len(whole) == 2 * len(single)
    assert whole.records[0].id == f"a/{single.records[0].id}"
    np.testing.assert_array_equal(whole[0].mask, single[0].mask)
