"""Memory of a whole run must not grow with the number of frames; measured in fresh processes."""

import subprocess
import sys

import pytest

RUN = """
import resource, sys
from types import SimpleNamespace
import cv2, numpy as np
from torch import nn
from sam_crack.cli import main
from sam_crack.studies.drive import verb as drive

class Dark(nn.Module):
    config = SimpleNamespace(window=(96, 128), head=SimpleNamespace(boundary=False))
    stride = 1
    def forward(self, pixels):
        return (100 - pixels.float().mean(1, keepdim=True)) / 10

count, folder = int(sys.argv[1]), sys.argv[2]
code = cv2.VideoWriter.fourcc(*"MJPG")
writer = cv2.VideoWriter(f"{folder}/v.avi", cv2.CAP_FFMPEG, code, 10, (256, 192))
rng = np.random.default_rng(0)
for _ in range(count):
    frame = np.full((192, 256, 3), 180, np.uint8)
    for _ in range(6):
        line = np.cumsum(rng.integers(-12, 13, (12, 2)), 0) + rng.integers(40, 150, 2)
        cv2.polylines(frame, [line.astype(np.int32)], False, (20, 20, 20), 2)
    writer.write(frame)
writer.release()
meta = SimpleNamespace(threshold=0.5, base_sha256="b", config_hash="c", scale=None)
drive.load_checkpoint = lambda *_, **__: (Dark(), meta)
args = ["predict", "model", f"{folder}/v.avi", "--out", f"{folder}/out", "--quiet", "--coco"]
assert main(args) == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_kb(count, folder):
    folder.mkdir()
    command = [sys.executable, "-c", RUN, str(count), str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=280)
    return int(done.stdout)


@pytest.mark.slow
def test_ten_times_the_frames_need_no_more_memory(tmp_path):
    few, many = (peak_kb(count, tmp_path / str(count)) for count in (60, 600))
    assert many <= 1.05 * few
    assert many - few < 12_000  # most of the peak is libraries; 540 frames of it are 80 MB
