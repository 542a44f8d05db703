import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_crack.infer.names import unique_names


def names(*wanted, folders=()):
    return unique_names(wanted, folders=[path in folders for path in wanted])


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        (["a/1.jpg", "b/1.jpg"], ["a/1", "b/1"]),
        (["1.jpg", "1.png", "1.jpg"], ["1", "1_png", "1_jpg"]),
        (["A.jpg", "a.jpg"], ["A", "a_jpg"]),
        (["x.jpg", "x.jpg", "x.jpg"], ["x", "x_jpg", "x_jpg-2"]),
        (["../../etc/p.jpg"], ["_/_/etc/p"]),
        (["a:b*?.png", "=cmd.png", ".png"], ["a_b__", "=cmd", "png"]),
        (["Straße 7.jpg"], ["Straße 7"]),
        (["a/b.jpg", "a_b.jpg"], ["a/b", "a_b"]),
        (["con.jpg", "a/LPT1.b.png", "cone.png"], ["con_", "a/LPT1.b_", "cone"]),
        (["x.jpg", "x.png/1.jpg", "x.PNG.jpg"], ["x", "x.png_/1", "x.PNG_"]),
    ],
)
def test_names_are_plain_until_they_would_collide(wanted, given):
    assert names(*wanted) == given


def test_nothing_else_lies_in_the_folder_of_a_video():
    assert names("d.mp4", "d/000000.jpg", folders=["d.mp4"]) == ["d", "d_000000_jpg"]
    first, second = names("d/000000.jpg", "d.mp4", folders=["d.mp4"])
    assert (first, second) == ("d/000000", "d_mp4")


@given(st.lists(st.text(min_size=1, max_size=30), max_size=12))
def test_names_never_collide_and_stay_inside(wanted):
    given = names(*wanted)
    folded = [name.casefold() for name in given]
    assert len(set(folded)) == len(given)
    assert all(".." not in name.split("/") and not name.startswith("/") for name in given)


PARTS = st.sampled_from(["a", "A", "a.png", "a_b", "b", "b.jpg", "a.mp4", "ä", "a\u0308"])
PATHS = (
    st.lists(PARTS, min_size=1, max_size=3)
    .map("/".join)
    .flatmap(lambda stem: st.sampled_from([f"{stem}.jpg", f"{stem}.png", f"{stem}.mp4"]))
)


@given(st.lists(PATHS, max_size=10))
def test_what_is_written_under_the_names_never_meets(wanted):
    videos = [path.endswith(".mp4") for path in wanted]
    files, folders = [], set()
    for name, video in zip(unique_names(wanted, folders=videos), videos, strict=True):
        files += [f"{name}/000000.png"] * video + [f"{name}.mp4" if video else f"{name}.png"]
    for file in files:
        folders |= {"/".join(file.casefold().split("/")[:n]) for n in range(1, file.count("/") + 1)}
    folded = {file.casefold() for file in files}
    assert len(folded) == len(files)
    assert not folded & folders


@given(st.text(min_size=100, max_size=400))
def test_long_names_fit_file_systems(text):
    (name,) = names(text)
    assert all(len(part.encode()) <= 210 for part in name.split("/"))


def test_names_of_before_are_kept_and_given_to_no_other():
    wanted = ["1.jpg", "1.png", "1/x.jpg"]
    given = unique_names(wanted, folders=[False] * 3, kept={1: "1"})
    assert given == ["1_jpg", "1", "1/x"]
