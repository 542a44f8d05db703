"""Options of the verbs that look at roads; kept apart so that `--help` does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from sam_crack.config.fields import Range


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """`sam-crack predict`."""

    run: Path
    """Checkpoint or run folder, a .safetensors of `merge`, or the name of a checkpoint that comes
    with the package. Example: runs/train/dnit-1."""
    paths: tuple[Path, ...]
    """Images, videos, folders with these below them (but not what an earlier run wrote there),
    patterns in quotes, `.txt` lists (a path a line, relative to the list; quotes around it are
    no part of it), or - for a list on stdin. Example: drive/."""
    out: Path | None = None
    """Folder for masks, overlays and tables; empty makes runs/predict/NAME-N. Example: found."""
    threshold: Annotated[float, Range(0, 1)] | None = None
    """Probability from which a pixel is a crack; empty takes the checkpoint's own. Example: 0.5."""
    overlap: Annotated[float, Range(0, 0.75)] = 0.125
    """Smallest share of a window that its neighbour sees too. Example: 0.25."""
    batch_size: Annotated[int, Range(1, 4096)] = 4
    """Windows per forward pass. Example: 8."""
    road: str = "all"
    """Where to look: `all`; `band:TOP,BOTTOM` as shares of the height; `mask:FILE`, an image bright
    on the road or a .json polygon of [y, x] shares; `prior:FILE`, heat_SPLIT.npy of `data stats`;
    `auto`, which base SAM finds ahead in each frame (`auto:N`: in every Nth, faster, but a run that
    was stopped goes on with another Nth). It fades out over 3 % of the height.
    Example: band:0.4,1."""
    scale: str = "own"
    """Resize frames before they are looked at: by `own`, the factor that the checkpoint carries
    from its validation; by another factor; by `camera` to the ground resolution of
    the training (`camera:strips` by bands of rows); by `calibrate:FOLDER` as a few labelled frames
    score best; by `auto` as the model agrees most with itself and lines look as in training.
    Example: 0.5."""
    camera: Path | None = None
    """camera.json of these frames, as a lens at a height, four or more road points, or a table of
    mm per pixel; gives millimetres. Example: camera.json."""
    scheme: Literal["astm-ac", "ltpp"] = "astm-ac"
    """Whose width limits name the severity: ASTM D6433 for asphalt, or LTPP. Example: ltpp."""
    min_length: Annotated[float, Range(0, 100_000)] = 20.0
    """Cracks shorter than so many pixels are not listed. Example: 50."""
    overlay: bool = True
    """Also write each frame with its cracks drawn on it."""
    video: bool = False
    """Also join the overlays to videos/NAME.mp4 (MPEG-4 Part 2): each video in its own time, all
    pictures at --video-rate."""
    video_rate: Annotated[float, Range(0.01, 240)] = 5.0
    """Frames per second of the video that is made of pictures. Example: 10."""
    track: str = ""
    """Where the frames were taken: FILE.gpx, FILE.csv (time, lat, lon; heading and frame where they
    are known), or exif. The first video begins with the track; pictures are found by their name in
    it (with or without suffix, and as much of the path as tells them apart), else by the time in
    their EXIF, UTC unless it names a zone. In gaps of more than 10 s no frame has a place.
    Example: a.gpx."""
    time_offset: Annotated[float, Range(-1e9, 1e9)] = 0.0
    """Seconds added to a frame's time before the track is asked. Example: -2.5."""
    section: Literal["100m", "0.1mi", "1km"] = "100m"
    """Length of the sections that sections.csv sums up, with --track. Example: 1km."""
    lane_width: Annotated[float, Range(1, 30)] = 3.5
    """Metres of road that density and cracked area refer to, around the car. Example: 3.25."""
    stride: str = "1"
    """Look at every n-th frame (10), one per so much time (0.5s) or road (5m). Example: 5m."""
    probabilities: Literal["none", "8", "16"] = "none"
    """Also write probabilities as PNG of so many bits: 0 is none, 255 or 65535 certain."""
    coco: bool = False
    """Also write coco.json: every crack as run lengths."""
    cvat: bool = False
    """Also write CVAT for images 1.1, to be corrected there: cvat/annotations.xml for a task of the
    pictures, cvat/videos/NAME.xml for a task of each video."""
    cvat_masks: bool = False
    """Also write cvat-masks/ (CVAT's Segmentation mask 1.1)."""
    gpkg: bool = False
    """With --track, also write drive.gpkg (GeoPackage); needs the extra `geo`."""
    report: bool = True
    """Write report.html."""
    device: str = "auto"
    """Where to compute: auto takes a GPU if there is one; else cpu, cuda or cuda:1.
    Example: cuda:1."""
    num_parts: Annotated[int, Range(1, 100_000)] = 1
    """Share the frames out to so many processes that fill one --out; the last to finish sums up.
    `accelerate launch` does it by itself. Example: 3."""
    part_id: Annotated[int, Range(0, 99_999)] | None = None
    """Which of the --num-parts this process is, counted from 0. Example: 0."""
    dry_run: bool = False
    """Say what would be done and how long it would take, and write nothing."""
    continue_: bool = False
    """Go on where an earlier run into this folder stopped. All files that it has looked at must be
    among the paths, as they were; more may be. A scale that it searched for is kept."""
    overwrite: bool = False
    """Replace what an earlier run of predict wrote into this folder."""


@dataclass(frozen=True, kw_only=True)
class CalibrateOptions:
    """`sam-crack camera calibrate`."""

    out: Path
    """File to write the camera to. Example: camera.json."""
    size: Annotated[tuple[int, int], Range(16, 100_000)]
    """Frame height,width in pixels. Example: 2160,3840."""
    points: str = ""
    """Four or more road points Y,X,RIGHT,AHEAD (pixels, then metres; any origin), with semicolons.
    Example: '1500,900,0,0; 1500,2900,3.5,0; 1180,1500,0,9; 1180,2300,3.5,9'."""
    lines: str = ""
    """Two or more straight lane marks Y1,X1,Y2,X2 in pixels, with semicolons; where they lie may
    be added, in metres to the right of any origin: Y1,X1,Y2,X2,RIGHT. The roll is found too with
    three such marks, or with --across.
    Example: '2100,300,1300,1700; 2100,3500,1300,2150'."""
    across: str = ""
    """Lines at a right angle to the lane, such as a stop line or a joint: Y1,X1,Y2,X2 in pixels,
    with semicolons; they give the roll. Example: '1500,700,1496,3100'."""
    height: Annotated[float, Range(0.05, 100)] | None = None
    """Metres from the road to the lens, for --lines. Example: 1.4."""
    lane_width: Annotated[float, Range(0.5, 30)] | None = None
    """Metres between the outermost of the --lines. Example: 3.5."""
    focal: Annotated[float, Range(10, 1e6)] | None = None
    """Focal length in pixels of this frame size; needed with --lines. Example: 2600."""
    fov: Annotated[float, Range(5, 175)] | None = None
    """Horizontal field of view in degrees, in place of --focal. Example: 73."""
    distortion: str = ""
    """Of the lens, where it is known: k1,k2,p1,p2,k3 as cv2.calibrateCamera returns them.
    Example: -0.21,0.05,0,0,0."""
    frame: Path | None = None
    """Picture in which the places were marked: a grid of metres is drawn over it, beside OUT as
    .png, to be looked at. Example: frame.jpg."""


@dataclass(frozen=True, kw_only=True)
class CameraGridOptions:
    """`sam-crack camera grid`."""

    camera: Path
    """camera.json of any kind. Example: camera.json."""
    frame: Path
    """A frame of this camera. Example: drive/000100.jpg."""
    out: Path
    """PNG to write. Example: grid.png."""
