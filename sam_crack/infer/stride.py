"""Which frames are looked at: every n-th, one per so many seconds, or one per so many metres."""

from __future__ import annotations

import math
from collections.abc import Callable

from sam_crack.errors import UsageError
from sam_crack.infer.frames import Moment

SLACK = 1e-6


def parse_stride(
    text: str, station_m: Callable[[Moment], float | None] | None = None
) -> Callable[[Moment], bool]:
    """Turn `10`, `0.5s` or `5m` into a choice of frames; it must see them all, in order.

    Frames whose time or place is not known are kept: leaving them out would hide road.

    Args:
        text: As given.
        station_m: Metres along the track at which a frame was taken, where there is a track.
    """
    number, unit = _split(text)
    match unit:
        case "":
            if number < 1 or not number.is_integer():
                raise _wrong(text)
            return lambda moment: moment.number % int(number) == 0
        case "s":
            return _Every(number, lambda moment: moment.clock_s)
        case "m" if station_m is not None:
            return _Every(number, station_m)
        case "m":
            raise UsageError(f"--stride {text}", "a stride in metres needs a --track")
    raise _wrong(text)


class _Every:
    """Keeps a frame as soon as something has grown by a step since the last that was kept."""

    def __init__(self, step: float, value: Callable[[Moment], float | None]) -> None:
        self.step, self.value = step, value
        self._due = -math.inf

    def __call__(self, moment: Moment) -> bool:
        if moment.number == 0:
            self._due = -math.inf
        value = self.value(moment)
        if value is None:
            return True
        if value < self._due - SLACK:
            return False
        # from the frame that was due, not from the one that came: delays must not add up
        late = value - self._due
        self._due = value + self.step if late >= self.step else self._due + self.step
        return True


def _split(text: str) -> tuple[float, str]:
    unit = text[-1:] if text[-1:] in {"s", "m"} else ""
    try:
        number = float(text.removesuffix(unit))
    except ValueError:
        raise _wrong(text) from None
    if not (math.isfinite(number) and number > 0):
        raise _wrong(text)
    return number, unit


def _wrong(text: str) -> UsageError:
    return UsageError(
        f"--stride {text}", "every n-th frame (10), or one per so much time (0.5s) or road (5m)"
    )
