"""Which photo a crop was cut from, as file names of crack collections tell."""

from __future__ import annotations

import re

# How many numbers at the end of a name are the place of a crop in its photo, by collection.
_CROP_NUMBERS = {"crack500": 2, "gaps384": 2, "rissbilder": 4, "volker": 4, "noncrack": 2}


def parent_photo(stem: str) -> str:
    """Return the photo that a crop was cut from, as its name tells in the merged collections."""
    name = stem.lower().removeprefix("khanh11k_")
    collection = name.split("_", 1)[0].split("-", 1)[0]
    if collection == "deepcrack":
        return re.sub(r"-\d+$", "", name)
    numbers = _CROP_NUMBERS.get(collection, 0)
    return re.sub(rf"(?:_\d+){{{numbers}}}$", "", name) if numbers else name


def shot_time(stem: str) -> str:
    """Return the `date_time` that begins a Crack500 name: crops of one photo share it."""
    found = re.match(r"\d{8}_\d{6}", stem)
    return found[0] if found else stem


def dash_number(stem: str) -> str:
    """Return a DeepCrack name without the number of its crop."""
    return re.sub(r"-\d+$", "", stem)
