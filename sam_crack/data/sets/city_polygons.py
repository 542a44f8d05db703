"""The polygons of Cityscapes as label ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sam_crack.data.formats.json_file import MALFORMED, load_json
from sam_crack.data.formats.polygons import fill
from sam_crack.data.sets.labels import CITYSCAPES
from sam_crack.errors import BadInput

_ID_OF = {label.name: label.id for label in CITYSCAPES}


def draw_city_polygons(path: Path, size: tuple[int, int]) -> NDArray[np.int16]:
    """Draw a `_polygons.json` in file order, which is from far to near: (height, width) ids.

    Groups of objects carry the label of what they consist of.
    """
    ids = np.zeros(size, np.int16)
    try:
        content = load_json(path, max_bytes=64 << 20)
        if (content["imgHeight"], content["imgWidth"]) != size:
            raise ValueError(f"polygons for {content['imgHeight']} x {content['imgWidth']}")
        for entry in content["objects"]:
            if entry.get("deleted"):
                continue
            name = entry["label"]
            label = _ID_OF.get(name, _ID_OF.get(name.removesuffix("group")))
            if label is None:
                raise ValueError(f"label {name!r}")
            outline = np.array(entry["polygon"], np.float64).reshape(-1, 2)[:, ::-1]
            if not (np.abs(outline) <= 1e6).all():
                raise ValueError("impossible coordinates")
            fill(ids, outline, label)
    except MALFORMED as error:
        raise BadInput(
            f"{path}: {type(error).__name__} {error}",
            f"Cityscapes polygons for a picture of {size[0]} x {size[1]}",
            "fetch the file again",
        ) from error
    return ids
