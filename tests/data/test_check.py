"""`data check` finds what is broken, doubled or leaking, and nothing in a sound set."""

import hashlib
import json
import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sam_crack.config.data_verbs import DataCheckOptions
from sam_crack.console import Console
from sam_crack.data.check import run_data_check
from sam_crack.data.dataset import open_dataset
from sam_crack.data.duplicates import NEAR_BITS, Fingerprint, find_alike, fingerprint, likeness
from sam_crack.data.examine import examine
from sam_crack.data.survey import survey
from sam_crack.errors import BadInput
from tests.data.sets.fake_layouts import ROADS
from tests.data.small_set import crack, scene, write_lists, write_set


def check(root: Path, out: Path, name: str = "uav", **options: object) -> dict:
    given = {"name": name, "root": root, "out": out, "workers": 0} | options
    return run_data_check(DataCheckOptions(**given), Console(quiet=True))


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def kinds(result: dict, severity: str = "error") -> list[str]:
    return [each["kind"] for each in result["findings"] if each["severity"] == severity]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_set(tmp_path / "set")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_a_sound_set_has_no_finding(root: Path, out: Path):
    result = check(root, out)
    assert result["findings"] == []
    assert result["exit_code"] == 0
    masks = [read(path) for path in sorted((root / "masks").iterdir())]
    assert result["classes"][0]["pixels"] == sum((mask > 0).sum() for mask in masks)
    assert result["splits"]["train"]["found"] == 4


def test_manifest_holds_the_hash_of_every_file(root: Path, out: Path):
    check(root, out)
    files = json.loads((out / "manifest.json").read_text())["files"]
    assert set(files) == {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}
    for name, entry in files.items():
        assert entry["sha256"] == hashlib.sha256((root / name).read_bytes()).hexdigest()


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_truncated_jpeg_is_an_error(tmp_path: Path, out: Path, share: float):
    root = write_set(tmp_path / "set", 2, suffix=".jpg")
    path = root / "images" / "f001.jpg"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    result = check(root, out)
    assert result["exit_code"] == 3
    assert kinds(result) == ["unreadable picture"]
    assert "f001.jpg" in result["findings"][0]["text"]


def test_a_jpeg_without_its_end_marker_is_a_warning(tmp_path: Path, out: Path):
    root = write_set(tmp_path / "set", 2, suffix=".jpg")
    path = root / "images" / "f000.jpg"
    path.write_bytes(path.read_bytes()[:-2])
    assert kinds(check(root, out), "warning") == ["no end marker"]
    assert check(root, out, strict=True)["exit_code"] == 3


def test_masks_of_another_size_and_of_other_values(root: Path, out: Path):
    Image.fromarray(np.zeros((50, 60), np.uint8)).save(root / "masks" / "f001.png")
    Image.fromarray(np.full((96, 128), 90, np.uint8)).save(root / "masks" / "f002.png")
    assert kinds(check(root, out)) == ["sizes differ", "unreadable mask"]


def test_empty_full_and_missing_masks(root: Path, out: Path):
    Image.fromarray(np.zeros((96, 128), np.uint8)).save(root / "masks" / "f000.png")
    Image.fromarray(np.full((96, 128), 255, np.uint8)).save(root / "masks" / "f001.png")
    (root / "masks" / "f002.png").unlink()
    result = check(root, out)
    assert kinds(result, "note") == ["empty mask"]
    assert kinds(result, "warning") == ["full mask"]
    assert kinds(result) == ["no annotation"]


def test_all_masks_empty_is_an_error(tmp_path: Path, out: Path):
    root = write_set(tmp_path / "set", 2)
    for path in (root / "masks").iterdir():
        Image.fromarray(np.zeros((96, 128), np.uint8)).save(path)
    assert kinds(check(root, out)) == ["no foreground"]


def test_exif_orientation_is_noted(tmp_path: Path, out: Path):
    root = write_set(tmp_path / "set", 2, suffix=".jpg")
    path = root / "images" / "f000.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(path) as image:
        image.load()
        image.save(path, exif=exif)
    result = check(root, out)
    assert kinds(result, "note") == ["EXIF orientation"]
    assert kinds(result) == ["sizes differ"]  # the mask was drawn before the turn


@pytest.mark.parametrize(
    ("target", "severity", "kind"),
    [("f007", "error", "same picture in two splits"), ("f001", "warning", "same picture twice")],
)
def test_the_same_picture_twice(root: Path, out: Path, target: str, severity: str, kind: str):
    for folder in ("images", "masks"):
        shutil.copy(root / folder / "f000.png", root / folder / f"{target}.png")
    assert kinds(check(root, out), severity) == [kind]


def test_one_picture_with_two_masks(root: Path, out: Path):
    shutil.copy(root / "images" / "f000.png", root / "images" / "f001.png")
    assert "one picture, two masks" in kinds(check(root, out))


def test_a_recompressed_copy_in_another_split_is_found_and_drawn(root: Path, out: Path):
    with Image.open(root / "images" / "f000.png") as image:
        image.save(root / "images" / "f007.jpg", quality=40)
    (root / "images" / "f007.png").unlink()
    result = check(root, out)
    assert kinds(result) == ["nearly the same picture in two splits"]
    assert result["worst_pairs"][0][:2] == ["f000", "f007"]
    assert (out / "worst_pairs.png").read_bytes().startswith(b"\x89PNG")


def test_a_road_section_in_two_splits(tmp_path: Path, out: Path):
    root = tmp_path / "set"
    names = ["1_RS_290_290RS1_10", "2_RS_290_290RS1_15", "3_DF_001_001DF7_10"]
    for seed, name in enumerate(names):
        folder = root / "Dataset" / name
        folder.mkdir(parents=True)
        Image.fromarray(scene(seed)).save(folder / f"{name}_RAW.jpg")
        Image.fromarray(crack(seed)).save(folder / f"{name}_CRACK.png")
    write_lists(root, train=names[:1], test=names[1:])
    result = check(root, out, "dnit")
    assert kinds(result) == ["road section in two splits"]
    assert "1 in test, 1 in train" in next(
        each["text"] for each in result["findings"] if each["severity"] == "error"
    )
    write_lists(root, train=names[:2], test=names[2:])
    assert kinds(check(root, out, "dnit")) == []


def test_a_subset_is_a_note_and_strictly_an_error(tmp_path: Path, out: Path):
    root = tmp_path / "set"
    ROADS["dnit"](root)
    assert "count" in kinds(check(root, out, "dnit"), "note")
    assert "count" in kinds(check(root, out, "dnit", strict=True))


def test_one_flipped_byte_is_found_by_an_earlier_manifest(tmp_path: Path, out: Path):
    root = write_set(tmp_path / "set", 2, suffix=".jpg")
    check(root, out)
    path = root / "images" / "f001.jpg"
    content = bytearray(path.read_bytes())
    content[-20] ^= 4
    path.write_bytes(content)
    (root / "masks" / "new.txt").write_text("")
    result = check(root, tmp_path / "again", against=out / "manifest.json")
    assert "changed since the manifest" in kinds(result)
    assert kinds(result, "note") == ["new since the manifest"]


def test_an_unknown_folder_is_answered_with_its_encoding(root: Path, out: Path, run_cli):
    for path in (root / "masks").iterdir():
        Image.fromarray((read(path) > 0).astype(np.uint8)).save(path)
    code, text, _ = run_cli("data", "check", "folder", root, "--out", out, "--workers", 0)
    assert code == 0
    assert "grey levels 0, 1" in text
    assert "--data.classes 'foreground=1'" in text


def masks(root: Path, *values: int) -> None:
    """Give the masks of a set the values in turn for their foreground."""
    for place, path in enumerate(sorted((root / "masks").iterdir())):
        marked = np.where(read(path) > 0, values[place % len(values)], 0).astype(np.uint8)
        Image.fromarray(marked).save(path)


@pytest.mark.parametrize("other", [1, 128])
@pytest.mark.parametrize("classes", [(), ("crack",), ("crack=255",)])
def test_masks_of_two_encodings_are_an_error(root: Path, out: Path, other: int, classes: tuple):
    masks(root, 255, other, 255)
    result = check(root, out, "folder", classes=classes)
    assert (result["exit_code"], kinds(result)) == (3, ["mixed encodings"])
    text = next(each["text"] for each in result["findings"] if each["severity"] == "error")
    assert "5 with 0, 255 (such as f000.png" in text
    assert f"3 with 0, {other} (such as f001.png" in text
    assert f"--classes value_{other}={other},value_255=255" in text


def test_no_training_is_offered_on_two_encodings_and_none_begins(root: Path, out: Path, run_cli):
    masks(root, 255, 1)
    code, text, _ = run_cli("data", "check", "folder", root, "--out", out, "--workers", 0)
    assert code == 3
    assert not [word for word in ("sam-crack train", "ignore", "nothing wrong") if word in text]
    with pytest.raises(BadInput, match="masks of 2 encodings"):
        open_dataset("folder", root)


def test_one_mask_among_many_is_found_beyond_the_sample(tmp_path: Path, out: Path):
    root = write_set(tmp_path / "set", 100)
    odd = root / "masks" / "f001.png"  # every second of a hundred is looked at on opening
    Image.fromarray((read(odd) > 0).astype(np.uint8)).save(odd)
    open_dataset("folder", root)
    assert "mixed encodings" in kinds(check(root, out, "folder"))


@pytest.mark.parametrize(
    ("values", "classes"),
    [((1, 2), ()), ((1, 2, 3, 100), ()), ((1, 255), ("spall=1", "crack=255"))],
)
def test_classes_that_never_meet_are_no_mixture(
    root: Path, out: Path, values: tuple, classes: tuple
):
    masks(root, *values)
    assert kinds(check(root, out, "folder", classes=classes)) == []


def test_void_that_meets_the_class_is_no_mixture(root: Path, out: Path):
    masks(root, 255, 1)
    path = root / "masks" / "f001.png"
    both = read(path).copy()
    both[:3] = 255
    Image.fromarray(both).save(path)
    assert kinds(check(root, out, "folder")) == []


def test_indices_with_void_in_some_masks_are_no_mixture(root: Path, out: Path):
    for place, path in enumerate(sorted((root / "masks").iterdir())):
        indices = np.where(read(path) > 0, place // 2 + 1, 0).astype(np.uint8)
        indices[:3] = 255 * (place < 3)
        Image.fromarray(indices).save(path)
    result = check(root, out, "folder")
    assert (kinds(result), len(result["classes"])) == ([], 4)
    assert "255 taken as ignore" in " ".join(result["notes"])


def test_bits_beside_black_and_white_are_read_as_one(root: Path, out: Path):
    before = check(root, out, "folder")["classes"]
    path = root / "masks" / "f003.png"
    Image.fromarray(read(path) > 0).save(path)
    result = check(root, out, "folder")
    assert (kinds(result), result["classes"]) == ([], before)
    assert "flags: --classes foreground" in result["notes"]


def invert(root: Path, *places: int) -> None:
    for place in places:
        path = root / "masks" / f"f{place:03d}.png"
        Image.fromarray(255 - read(path)).save(path)


@pytest.mark.parametrize("name", ["folder", "uav"])
@pytest.mark.parametrize("places", [(2,), (0, 3, 5), (1, 2, 4, 6)])
def test_inverted_masks_are_named(root: Path, out: Path, name: str, places: tuple):
    invert(root, *places)
    result = check(root, out, name)
    named = [each["text"] for each in result["findings"] if each["kind"] == "inverted mask?"]
    assert all(f"f{place:03d}.png" in text for place, text in zip(places, named, strict=True))
    assert (kinds(result), result["exit_code"]) == ([], 0)


def test_one_mask_the_right_way_round_among_inverted_ones(root: Path, out: Path):
    invert(root, *range(7))
    result = check(root, out, "folder")
    assert kinds(result, "warning") == ["inverted mask?", "mostly foreground"]
    assert "f007.png" in result["findings"][0]["text"]
    assert "mostly background, out of line" in result["findings"][0]["text"]


def test_a_set_drawn_in_black_is_warned_of_and_mended_by_its_flag(root: Path, out: Path):
    sound = check(root, out, "folder")["classes"][0]["pixels"]
    invert(root, *range(8))
    assert kinds(check(root, out, "folder"), "warning") == ["mostly foreground"]
    mended = check(root, out, "folder", classes=("crack=0",))
    assert (mended["findings"], mended["classes"][0]["pixels"]) == ([], sound)


def test_a_jpeg_mask_is_named(root: Path, out: Path):
    path = root / "masks" / "f002.png"
    Image.fromarray(read(path)).save(path.with_suffix(".jpg"), quality=95)
    path.unlink()
    result = check(root, out, "folder")
    assert kinds(result, "warning") == ["lossy mask"]
    assert "f002.jpg" in result["findings"][0]["text"]


def test_a_pool_finds_what_one_process_finds(tmp_path: Path):
    dataset = open_dataset("uav", write_set(tmp_path, 26))
    alone = list(survey(dataset, examine, num_workers=0))
    pooled = list(survey(dataset, examine, num_workers=2))
    assert [each.pixels for each in alone] == [each.pixels for each in pooled]
    assert [each.areas for each in alone] == [each.areas for each in pooled]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), number=st.integers(2, 60))
def test_buckets_miss_no_pair_within_the_limit(seed: int, number: int):
    rng = np.random.default_rng(seed)
    codes = [int(code) for code in rng.integers(0, 2**63, 6, dtype=np.uint64)]
    while len(codes) < number:  # relatives of earlier ones, a few bits away
        flips = rng.choice(64, rng.integers(0, 12), replace=False)
        codes.append(codes[rng.integers(len(codes))] ^ sum(1 << int(bit) for bit in flips))
    detail = np.ones(4096, np.int8)
    prints = [Fingerprint(code=code, detail=detail) for code in codes]
    expected = {
        (a, b)
        for a, b in combinations(range(len(codes)), 2)
        if (codes[a] ^ codes[b]).bit_count() <= NEAR_BITS
    }
    assert {(a, b) for a, b, _ in find_alike(prints)} == expected


def test_copies_are_alike_and_others_are_not():
    first, other = scene(1), scene(2)
    brighter = np.clip(first.astype(int) + 12, 0, 255).astype(np.uint8)
    half = np.asarray(Image.fromarray(first).resize((64, 48)))
    one = fingerprint(first)
    assert min(likeness(one, fingerprint(each)) for each in (brighter, half)) > 0.9
    assert likeness(one, fingerprint(other)) < 0.5
    assert fingerprint(np.full((40, 40, 3), 77, np.uint8)) is None


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "folder", "frames"),
    [("uav", "uav", 120), ("cfd", "cfd", 10), ("paveseg", "paveseg", 32), ("voc", "voc", 3)],
)
def test_real_sets_are_sound_but_for_their_counts(
    data_root: Path, out: Path, name: str, folder: str, frames: int
):
    result = check(data_root / folder, out, name)
    assert (result["frames"], result["exit_code"]) == (frames, 0)
    assert set(kinds(result, "note")) <= {"count", "other files"}
    on_disk = [path for path in (data_root / folder).rglob("*") if path.is_file()]
    assert len(json.loads((out / "manifest.json").read_text())["files"]) == len(on_disk)


@pytest.mark.realdata
def test_a_real_frame_saved_anew_under_another_split_is_found(
    data_root: Path, tmp_path: Path, out: Path
):
    root = tmp_path / "set"
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    names = sorted(path.stem for path in (data_root / "uav" / "masks").iterdir())[:6]
    dataset = open_dataset("uav", data_root / "uav")
    for index, record in enumerate(dataset.records):
        if record.id in names:
            Image.fromarray(dataset.read_image(index)).save(root / "images" / f"{record.id}.png")
            shutil.copy(record.masks["mask"], root / "masks" / f"{record.id}.png")
    with Image.open(root / "images" / f"{names[0]}.png") as image:
        image.resize((300, 300)).resize((448, 448)).save(root / "images" / "copy.jpg", quality=60)
    shutil.copy(root / "masks" / f"{names[0]}.png", root / "masks" / "copy.png")
    write_lists(root, train=names, test=["copy"])
    assert kinds(check(root, out)) == ["nearly the same picture in two splits"]
