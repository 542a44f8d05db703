"""Damage files at random and parse them in a process of its own: see `test_fuzz`.

Run as `python -m tests.data.formats.fuzz PARSER CASES SEED FOLDER`; prints JSON with every
outcome that is neither a result nor a SamCrackError, the slowest case and the peak memory.
"""

import io
import json
import re
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from sam_crack.data.formats import aperio, coco, cvat, images, mat, npy
from sam_crack.data.formats.encoding import BLACK_WHITE, read_mask
from sam_crack.data.formats.rle import pack_counts
from sam_crack.data.sets import city_polygons, citypersons, layout
from sam_crack.errors import SamCrackError

Parser = Callable[[Path], object]
NOISE = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)
TOKENS = (
    b"-1 0 1e309 nan 4294967296 99999999999999999999 <!DOCTYPE x [<!ENTITY a 'a'>]> &a; ../../x "
    b"null true [] {} \xff\xfe \x00\x00\x00\x00 \xff\xff\xff\xff \x7f\xff\xff\xff"
).split()


def encode(kind: str, mode: str = "RGB", **options: object) -> bytes:
    """Write the noise picture in a format and mode."""
    stream = io.BytesIO()
    Image.fromarray(NOISE).convert(mode).save(stream, kind, **options)
    return stream.getvalue()


def deep_png() -> bytes:
    """Write 16-bit grey."""
    stream = io.BytesIO()
    Image.fromarray(NOISE[..., 0].astype(np.uint16) * 99).save(stream, "PNG")
    return stream.getvalue()


def npy_bytes() -> bytes:
    """Write a small array."""
    stream = io.BytesIO()
    np.save(stream, np.arange(24.0).reshape(2, 3, 4))
    return stream.getvalue()


def mat_bytes(*, packed: bool) -> bytes:
    """Write what nuclei sets hold, compressed, with a struct as CrackForest has."""
    import scipy.io

    stream = io.BytesIO()
    content = {"inst_map": np.eye(9), "groundTruth": {"Segmentation": np.ones((4, 5), np.uint16)}}
    scipy.io.savemat(stream, content, do_compression=packed)
    return stream.getvalue()


APERIO = (
    b'<Annotations MicronsPerPixel="0.2"><Annotation Id="1" Name=""><Attributes>'
    b'<Attribute Name="Epithelial" Id="0" Value=""/></Attributes><Regions><Region Id="1">'
    b'<Vertices><Vertex X="4.5" Y="1" Z="0"/><Vertex X="44" Y="6"/><Vertex X="9" Y="13"/>'
    b"</Vertices></Region></Regions></Annotation></Annotations>"
)
CVAT = (
    b'<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><image id="0" '
    b'name="a/b.jpg" width="40" height="24"><polygon label="crack" points="1.5,2;9,3.25;5,11" '
    b'z_order="0"/><box label="crack" xtl="1" ytl="2" xbr="8" ybr="9"/><mask label="crack" '
    b'rle="1, 2, 3" left="1" top="2" width="3" height="2"/><polyline label="crack" '
    b'points="1,1;30,20"/><ellipse label="crack" cx="9" cy="8" rx="3" ry="2"/></image>'
    b"</annotations>"
)
COCO = json.dumps(
    {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 24, "width": 40}],
        "categories": [{"id": 7, "name": "crack", "isthing": 1}],
        "annotations": [
            {"image_id": 1, "category_id": 7, "segmentation": [[1, 1, 9.5, 2, 5, 11]]},
            {
                "image_id": 1,
                "category_id": 7,
                "iscrowd": 1,
                "segmentation": {"counts": [9, 51, 900], "size": [24, 40]},
            },
            {
                "image_id": 1,
                "category_id": 7,
                "segmentation": {"counts": pack_counts([9, 51, 900]), "size": [24, 40]},
            },
        ],
    }
).encode()
CITY = json.dumps(
    {
        "imgHeight": 24,
        "imgWidth": 40,
        "objects": [{"label": "road", "polygon": [[0, 9], [39, 9], [39, 23], [0, 23]]}],
    }
).encode()
PERSONS = json.dumps(
    {"objects": [{"label": "rider", "bbox": [1, 2, 3, 4], "bboxVis": [1, 2, 3, 4]}]}
).encode()


def parse_image(path: Path) -> None:
    """Read a picture every way there is."""
    images.read_size(path)
    images.read_rgb(path)
    images.read_raw_mask(path, as_colours=True)
    read_mask(path, BLACK_WHITE)


def parse_aperio(path: Path) -> None:
    """Read and draw."""
    aperio.draw_regions(aperio.read_regions(path), (24, 40))


def parse_cvat(path: Path) -> None:
    """Read and draw every picture."""
    for each in cvat.read_document(path).values():
        if each.size[0] * each.size[1] < 1_000_000:
            cvat.draw(each, {"crack": 1})


def parse_coco(path: Path) -> None:
    """Read and draw every picture."""
    document = coco.read_document(path)
    for number in document.images:
        coco.draw_objects(document, number, (24, 40))


def parse_panoptic(path: Path) -> None:
    """Read a coded picture with honest segments."""
    entry = {"segments_info": [{"id": 65793 * k, "category_id": 1} for k in range(1, 256)]}
    coco.read_panoptic(path, entry, {1})


PARSERS: dict[str, tuple[list[bytes], Parser]] = {
    "image": (
        [
            encode("PNG"),
            encode("PNG", "P"),
            encode("PNG", "1"),
            encode("PNG", "RGBA"),
            deep_png(),
            encode("JPEG"),
            encode("TIFF", compression="tiff_lzw"),
            encode("TIFF"),
            encode("BMP"),
            encode("WEBP"),
            encode("GIF"),
            encode("PPM"),
        ],
        parse_image,
    ),
    "panoptic": ([encode("PNG", "L")], parse_panoptic),
    "mat": ([mat_bytes(packed=True), mat_bytes(packed=False)], mat.read_mat),
    "npy": ([npy_bytes()], lambda path: np.asarray(npy.open_npy(path)).sum()),
    "aperio": ([APERIO], parse_aperio),
    "cvat": ([CVAT], parse_cvat),
    "labelmap": ([b"# label:color_rgb:parts:actions\ncrack:84,105,77::\n"], cvat.read_labelmap),
    "coco": ([COCO], parse_coco),
    "city": ([CITY], lambda path: city_polygons.draw_city_polygons(path, (24, 40))),
    "citypersons": ([PERSONS], citypersons.read_boxes),
    "list": ([b"a/b.png\nc d.png e.png\n"], layout.read_list),
}


def damage(content: bytes, rng: np.random.Generator) -> bytes:
    """Flip, cut, repeat, remove, change digits, or put in something hostile, once or twice.

    Half of the damage changes digits only, so that it reaches behind the outer syntax.
    """
    raw = bytearray(content)
    digits = [index for index, byte in enumerate(raw) if 48 <= byte < 58]
    if digits and rng.random() < 0.5:
        for at in rng.choice(digits, int(rng.integers(1, 4))):
            raw[at : at + 1] = str(int(10 ** rng.uniform(0, 3))).encode()
        return bytes(raw)
    for _ in range(int(rng.integers(1, 3))):
        if not raw:
            break
        at = int(rng.integers(len(raw)))
        length = int(rng.integers(1, 16))
        match int(rng.integers(6)):
            case 0:
                raw[at] ^= 1 << int(rng.integers(8))
            case 1:
                raw[at : at + length] = rng.bytes(len(raw[at : at + length]))
            case 2:
                del raw[at:]
            case 3:
                raw[at:at] = raw[at : at + length] * int(rng.integers(1, 50))
            case 4:
                del raw[at : at + length]
            case _:
                raw[at : at + length // 4] = TOKENS[int(rng.integers(len(TOKENS)))]
    return bytes(raw)


def main(name: str, cases: int, seed: int, folder: Path) -> None:
    """Run the cases and print what happened."""
    warnings.simplefilter("ignore")
    seeds, parse = PARSERS[name]
    rng = np.random.default_rng(seed)
    for content in seeds:
        whole = folder / "whole"
        whole.write_bytes(content)
        parse(whole)
    wrong: list[str] = []
    refused, slowest = 0, 0.0
    for case in range(cases):
        path = folder / f"{case}.bin"
        path.write_bytes(damage(seeds[case % len(seeds)], rng))
        start = time.perf_counter()
        try:
            parse(path)
        except SamCrackError:
            refused += 1
        except Exception as error:  # what the test is for
            wrong.append(f"{name} {seed}/{case}: {type(error).__name__}: {error}")
        slowest = max(slowest, time.perf_counter() - start)
        path.unlink()
    report = {"wrong": wrong, "refused": refused, "slowest_s": slowest, "peak_mb": peak_mb()}
    print(json.dumps(report))


def peak_mb() -> float:
    """Return the most memory this process held; `ru_maxrss` on Linux would include its parent's."""
    status = Path("/proc/self/status")
    if status.is_file():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2  # bytes on macOS


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
