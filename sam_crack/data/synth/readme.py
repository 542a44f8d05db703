"""The README.txt that goes with a rendered drive."""

from __future__ import annotations

from sam_crack.config.verbs import SynthOptions
from sam_crack.data.synth.layers import MASK_RULE
from sam_crack.data.synth.truth import REACH_M


def readme_text(options: SynthOptions, *, gap: int) -> str:
    """Describe the files of a drive, their units and what they cannot stand for."""
    height, width = options.size
    return f"""A practice drive: rendered, not filmed
=====================================
{options.frames} frames of {width} x {height} pixels, {options.spacing:g} m apart,
seed {options.seed}.
The same seed gives the same bytes, with the same versions of this package, NumPy and OpenCV.
Nothing in it was photographed: road, cracks, light and traffic are drawn from the seed. It is for
practice, tests and training from nothing; a score on it says nothing about real roads.

images/NNNNNN.jpg   the frames
masks/NNNNNN.png    255 crack, 0 not
lanes/NNNNNN.png    255 own lane between its marks, 0 not
truth/NNNNNN.json   what one frame shows of each crack
truth.json          all cracks (polylines and widths on the ground), all poses, all of truth/
camera.json         the camera: height, pitch, focal length, size; the same for every frame
track.gpx           WGS84 track, one point a frame
frames.csv          frame, time (UTC), lat, lon, heading (degrees), metres driven
drive.mp4 or .avi   the frames as a video, if it was asked for
train.txt val.txt test.txt   consecutive segments of the drive, {gap} frames left out between them
                    where the drive is long enough, so that no measured stretch is in two
drive.json          the settings; a run with the same settings continues the drive

The mask: {MASK_RULE}
Lengths and widths per frame count what is inside the frame, not hidden, and no more than
{REACH_M:g} m ahead.
What is dark and long and yet no crack, on purpose: sealed joints, expansion joints, edges of
patches, cast shadows, worn paint, kerbs.
"""
