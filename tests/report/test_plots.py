"""Diagrams: right numbers, two formats, no display, the same bytes each time."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from sam_crack.errors import BadInput
from sam_crack.report.plots import loss_curve, scatter_lengths, smooth

HISTORY = [
    *({"step": step, "loss": 1 / step, "lr": 1e-3} for step in range(1, 41)),
    {"step": 20, "validation": {"f1": 0.3, "iou": 0.2}},
    {"step": 40, "validation": {"f1": 0.4, "iou": 0.25}},
    {"step": 7, "skipped": "nan", "samples": ["a"]},
]


@pytest.mark.parametrize(
    "draw",
    [
        lambda f: loss_curve(HISTORY, format=f),
        lambda f: scatter_lengths([1, 2], [1.1, 2.1], format=f),
    ],
)
def test_both_formats_open_and_repeat_byte_for_byte(draw):
    assert Image.open(io.BytesIO(draw("png"))).size[1] == 840
    assert draw("svg").startswith(b"<?xml")
    assert draw("svg") == draw("svg")
    assert draw("png") == draw("png")


def test_a_plot_needs_no_display_and_no_pyplot():
    code = (
        "import sys; from sam_crack.report.plots import scatter_lengths as s; s([1], [1]);"
        "assert 'matplotlib.pyplot' not in sys.modules and 'torch' not in sys.modules"
    )
    environment = {key: value for key, value in os.environ.items() if key != "DISPLAY"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=60)


def test_the_median_error_is_the_one_of_numpy(monkeypatch):
    titles = []
    monkeypatch.setattr("sam_crack.report.plots._title", lambda _, *texts: titles.append(texts))
    true = np.array([100.0, 200, 300, 400, np.nan])
    scatter_lengths(true, true * [1.1, 0.95, 1.0, 1.2, 1.0])
    assert titles == [("Median error 7.5 %", "n = 4, 1 without a pair; band 10 %")]


@pytest.mark.parametrize("true", [[], [np.nan], [0.0]])
def test_without_a_single_pair_there_is_no_scatter(true):
    with pytest.raises(BadInput):
        scatter_lengths(true, true)


def test_unequal_lists_are_refused():
    with pytest.raises(BadInput, match=r"\(2,\) true and \(1,\) measured"):
        scatter_lengths([1, 2], [1])


def test_a_history_without_losses_is_refused():
    with pytest.raises(BadInput, match="without a single loss"):
        loss_curve([{"step": 1, "loss": float("nan")}, {"step": 2, "skipped": "nan"}])


@pytest.mark.parametrize("history", [HISTORY[:1], HISTORY[:40], [*HISTORY, {"step": 41, "x": 1}]])
def test_short_and_odd_histories_are_drawn(history):
    assert loss_curve(history)[:4] == b"\x89PNG"


def test_smoothing_is_a_centred_mean():
    values = np.random.default_rng(0).normal(size=100)
    smoothed = smooth(values, share=0.1)
    assert smoothed[50] == pytest.approx(values[45:56].mean())
    assert smoothed[0] == pytest.approx(values[:6].mean())
    assert smooth(np.array([3.0])) == pytest.approx([3.0])
