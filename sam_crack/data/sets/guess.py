"""Find out what the numbers in unknown masks mean, or say why that cannot be known."""

from __future__ import annotations

import colorsys
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sam_crack.data.formats.encoding import BLACK_WHITE, Colour, Colours, Encoding, Levels
from sam_crack.data.formats.images import RawMask, read_raw_mask
from sam_crack.data.sets.spec import ClassSpec
from sam_crack.errors import BadInput, UsageError

_SAMPLED = 48
_MAX_CLASSES = 64


@dataclass(frozen=True, kw_only=True)
class Guess:
    """An encoding, the classes it gives, and the words and flags that say so."""

    encoding: Encoding
    """How stored numbers become classes."""
    classes: tuple[ClassSpec, ...]
    """Foreground classes in mask order."""
    why: str
    """What was seen, for a person."""
    flags: str
    """Value of `--classes` that states the same outright."""


def spread_colours(number: int) -> list[Colour]:
    """Return distinct bright colours, evenly around the colour circle."""
    turns = (colorsys.hsv_to_rgb(index / max(number, 1), 0.75, 1.0) for index in range(number))
    return [(round(r * 255), round(g * 255), round(b * 255)) for r, g, b in turns]


def named_classes(names: Sequence[str]) -> tuple[ClassSpec, ...]:
    """Give classes names and colours to draw them in."""
    colours = spread_colours(len(names))
    return tuple(
        ClassSpec(name=name, colour=colour) for name, colour in zip(names, colours, strict=True)
    )


def stated_encoding(stated: Mapping[str, str], classes: tuple[str, ...]) -> Guess:
    """Take classes as given by `name=LEVEL` or `name=#rrggbb`; all else is background."""
    if len(stated) < len(classes):
        bare = [name for name in classes if "=" not in name]
        raise UsageError(
            f"classes {', '.join(classes)}",
            "NAME=VALUE for each class, or for none",
            f"add the value in the masks to {bare[0] if bare else 'each name once'}",
        )
    levels: dict[int, int] = {}
    colours: dict[Colour, int] = {}
    for index, (name, value) in enumerate(stated.items(), 1):
        if re.fullmatch(r"#[0-9a-fA-F]{6}", value):
            code = int(value[1:], 16)
            colours[code >> 16, code >> 8 & 255, code & 255] = index
        elif re.fullmatch(r"\d{1,5}", value) and int(value) < 1 << 16:
            levels[int(value)] = index
        else:
            raise UsageError(
                f"class {name}={value}", "a number 0 to 65535 or a colour #rrggbb", "crack=255"
            )
    if levels and colours:
        raise UsageError(
            f"classes {', '.join(classes)}", "all numbers or all colours", "use one kind"
        )
    encoding: Encoding = (
        Colours(classes=colours, others=True) if colours else Levels(classes=levels, others=True)
    )
    return Guess(
        encoding=encoding,
        classes=named_classes(list(stated)),
        why=f"as stated: {encoding}; all other values are background",
        flags=",".join(classes),
    )


def guess_encoding(
    masks: Sequence[Path],
    classes: tuple[str, ...] = (),
    *,
    read: Callable[[Path], RawMask] = read_raw_mask,
) -> Guess:
    """Look at masks spread over the set, and decide among bits, levels, indices and colours."""
    counts: Counter[int] = Counter()
    kinds: set[str] = set()
    lossless = True
    for path in masks[:: max(1, len(masks) // _SAMPLED)][:_SAMPLED]:
        raw = read(path)
        kinds.add(raw.kind)
        lossless = lossless and raw.lossless
        counts.update(_count(raw, as_colour=raw.kind == "colour"))
    values = sorted(counts)
    if values == [0] and kinds != {"colour"}:
        raise BadInput(
            f"all {min(len(masks), _SAMPLED)} masks looked at are empty, such as {masks[0]}",
            "masks in which a class is marked",
            "check that these are the masks, or name the values: --classes crack=255",
        )
    if not lossless:
        guess = _lossy(counts, masks[0])
    elif "colour" in kinds:
        guess = _from_colours(counts, kinds, masks[0])
    else:
        guess = _from_levels(counts, kinds, masks[0])
    return _renamed(guess, classes)


def _count(raw: RawMask, *, as_colour: bool) -> dict[int, int]:
    """Count stored numbers, or colours as 0xrrggbb."""
    codes: NDArray[np.integer] = raw.values
    if as_colour:
        parts = codes.astype(np.uint32)
        codes = parts[..., 0] << 16 | parts[..., 1] << 8 | parts[..., 2]
    if codes.min() < 0:
        raise BadInput("a mask with negative numbers", "0 and above", "save it as 8-bit grey")
    counts = np.bincount(codes.ravel())
    values = np.flatnonzero(counts)
    return dict(zip(values.tolist(), counts[values].tolist(), strict=True))


def _lossy(counts: Counter[int], example: Path) -> Guess:
    """Accept smeared black and white; anything richer is lost in JPEG."""
    # Grey codes only: a JPEG mask whose channels differ by chroma noise counts as 0xrrggbb.
    greys = Counter[int]()
    for code, number in counts.items():
        greys[max(code >> 16, code >> 8 & 255, code & 255)] += number
    if _clear_share(greys) < 0.97:
        raise _cannot(example, f"JPEG or WebP masks with {len(greys)} grey levels")
    return Guess(
        encoding=BLACK_WHITE,
        classes=named_classes(["foreground"]),
        why="lossy black and white, cut at 127 (save masks as PNG)",
        flags="foreground",
    )


def _clear_share(greys: Mapping[int, int]) -> float:
    """Return the share of pixels near black or white; none where nothing is near white."""
    dark = sum(number for grey, number in greys.items() if grey <= 40)
    bright = sum(number for grey, number in greys.items() if 215 <= grey <= 255)
    return (dark + bright) / sum(greys.values()) if bright else 0.0


def _from_levels(counts: Counter[int], kinds: set[str], example: Path) -> Guess:
    """Decide among black and white, and one class per level."""
    values = sorted(counts)
    marked = [value for value in values if value]
    if values in ([0, 255], [255]) or ("bit" in kinds and {*marked} <= {1, 255}):
        return Guess(
            encoding=BLACK_WHITE,
            classes=named_classes(["foreground"]),
            why=f"black and white ({', '.join(map(str, values))})",
            flags="foreground" if "bit" in kinds else "foreground=255",
        )
    if len(values) > 8 and _clear_share(counts) >= 0.97:
        return Guess(
            encoding=BLACK_WHITE,
            classes=named_classes(["foreground"]),
            why=f"black and white with soft edges ({len(values)} levels), cut at 127",
            flags="foreground",
        )
    if len(values) > _MAX_CLASSES:
        raise _cannot(example, f"masks with {len(values)} grey levels")
    # 255 beside small indices is the usual mark for void; alone with 0 it is the class.
    small = [value for value in marked if value != 255]
    void = {255} if 255 in marked and small and max(small) < 200 and small[0] < 20 else set()
    marked = [value for value in marked if value not in void]
    names = ["foreground"] if len(marked) == 1 else [f"class_{value}" for value in marked]
    kind = "palette indices" if kinds == {"index"} else "grey levels"
    return Guess(
        encoding=Levels(
            classes={0: 0} | {value: index for index, value in enumerate(marked, 1)},
            ignore=frozenset(void),
        ),
        classes=named_classes(names),
        why=f"{kind} {', '.join(map(str, values))}" + (", 255 taken as ignore" if void else ""),
        flags=",".join(f"{n}={v}" for n, v in zip(names, marked, strict=True)),
    )


def _from_colours(counts: Counter[int], kinds: set[str], example: Path) -> Guess:
    """Take each colour as a class, and black, or else the commonest, as background."""
    if kinds != {"colour"}:
        # A grey value v in another file is the colour vvv here.
        counts = Counter({code * 0x010101 if code < 256 else code: n for code, n in counts.items()})
    if len(counts) > _MAX_CLASSES:
        raise _cannot(example, f"masks with {len(counts)} colours")
    ground = 0 if 0 in counts else counts.most_common(1)[0][0]
    marked = [code for code, _ in counts.most_common() if code != ground]
    table = {_rgb(code): index for index, code in enumerate(marked, 1)} | {_rgb(ground): 0}
    names = [f"colour_{code:06x}" for code in marked]
    specs = tuple(
        ClassSpec(name=name, colour=_rgb(code)) for name, code in zip(names, marked, strict=True)
    )
    return Guess(
        encoding=Colours(classes=table),
        classes=specs,
        why=f"{len(marked)} colours on #{ground:06x}",
        flags=",".join(f"{n}=#{c:06x}" for n, c in zip(names, marked, strict=True)),
    )


def _rgb(code: int) -> Colour:
    """Split 0xrrggbb."""
    return code >> 16, code >> 8 & 255, code & 255


def _renamed(guess: Guess, classes: tuple[str, ...]) -> Guess:
    """Let one bare class name be the name of the only class there is."""
    if len(classes) == 1 and len(guess.classes) == 1 and "=" not in classes[0]:
        flags = guess.flags.replace(guess.classes[0].name, classes[0])
        return Guess(
            encoding=guess.encoding, classes=named_classes(classes), why=guess.why, flags=flags
        )
    return guess


def _cannot(example: Path, what: str) -> BadInput:
    """Compose the error for masks that are not class maps."""
    return BadInput(
        f"{what}, such as {example}",
        f"two levels, or one number or colour per class, at most {_MAX_CLASSES}",
        "these look like pictures or probability maps: threshold them and save as PNG, or name "
        "the values that mark a class: --classes crack=255",
    )
