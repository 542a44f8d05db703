"""When and where a camera says that it took a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from sam_crack.measure.positions import seconds_of

GPS_BLOCK, TIME_BLOCK = 0x8825, 0x8769
TAKEN, TAKEN_ZONE, TAKEN_FRACTION = 0x9003, 0x9011, 0x9291


@dataclass(frozen=True, kw_only=True)
class Exif:
    """The part that matters for a map."""

    time_s: float | None
    """Seconds since 1970; a time without a zone is taken as UTC."""
    lat_lon: tuple[float, float] | None
    heading_deg: float
    """Clockwise from north; NaN where it is not given."""


def read_exif(path: Path) -> Exif | None:
    """Read time and place from a picture's header; None where there is no EXIF at all."""
    try:
        with Image.open(path) as image:
            exif = image.getexif()
            if not exif:
                return None
            place, moment = exif.get_ifd(GPS_BLOCK), exif.get_ifd(TIME_BLOCK)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return Exif(time_s=_time(moment), lat_lon=_place(place), heading_deg=_number(place.get(17)))


def _time(block: dict[int, Any]) -> float | None:
    """Read `2024:05:14 09:30:00`, and the digits behind its point, which stand by themselves."""
    day, _, clock = str(block.get(TAKEN, "")).partition(" ")
    digits = str(block.get(TAKEN_FRACTION, "")).strip(" \0")
    fraction = f".{digits}" if digits.isdecimal() and digits.isascii() else ""
    return seconds_of(f"{day.replace(':', '-')}T{clock}{fraction}{block.get(TAKEN_ZONE, '')}")


def _place(block: dict[int, Any]) -> tuple[float, float] | None:
    """Read degrees, minutes and seconds with their hemispheres."""
    lat, lon = _degrees(block.get(2)), _degrees(block.get(4))
    lat *= -1 if str(block.get(1, "N")).upper().startswith("S") else 1
    lon *= -1 if str(block.get(3, "E")).upper().startswith("W") else 1
    return (lat, lon) if abs(lat) <= 90 and abs(lon) <= 180 else None


def _degrees(parts: Any) -> float:  # noqa: ANN401 - whatever the file holds
    """Return a sexagesimal angle; NaN for what is none."""
    if not isinstance(parts, tuple) or not parts:
        return math.nan
    return math.fsum(_number(part) / 60.0**power for power, part in enumerate(parts[:3]))


def _number(value: Any) -> float:  # noqa: ANN401 - whatever the file holds
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return math.nan
    return number if math.isfinite(number) else math.nan
