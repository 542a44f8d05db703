import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sam_crack.errors import UsageError
from sam_crack.infer.stitch import Stitcher
from sam_crack.infer.windows import plan_windows

torch.set_num_threads(1)


def cut(frame, plan):
    """Windows of a frame that needs no padding."""
    height, width = plan.window
    return torch.cat([frame[..., y : y + height, x : x + width] for y, x in plan.corners])


def stitch(frame, net, plan, stride, **options):
    with torch.inference_mode():
        logits = net(cut(frame, plan))
        stitcher = Stitcher(plan, stride, logits.shape[1], **options)
        for first in range(0, len(plan), 3):
            stitcher.add(logits[first : first + 3], first)
        return stitcher


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Conv2d(3, 2, 5, padding=2)


@pytest.mark.parametrize(("mode", "overlap"), [("gaussian", 0.5), ("constant", 0.25)])
def test_blending_equals_monai(net, mode, overlap):
    from monai.inferers import SlidingWindowInferer

    frame = torch.randn(1, 3, 160, 256)
    plan = plan_windows((160, 256), (64, 64), overlap=overlap)
    assert plan.tops[1] == plan.lefts[1] == 64 * (1 - overlap)  # then MONAI cuts the same windows
    with torch.inference_mode():
        theirs = SlidingWindowInferer((64, 64), 4, overlap, mode)(frame, net)[0]
    ours = stitch(frame, net, plan, 1, blend=mode).logits()
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_a_strided_head_equals_monai(net):
    from monai.inferers import SlidingWindowInferer

    small = nn.Sequential(net, nn.AvgPool2d(4))
    frame = torch.randn(1, 3, 160, 224)
    with torch.inference_mode():
        theirs = SlidingWindowInferer((64, 64), 4, 0.5, "constant")(frame, small)[0]
    plan = plan_windows((160, 224), (64, 64), overlap=0.5)
    ours = stitch(frame, small, plan, 4, blend="constant").head_logits()
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("blend", ["cosine", "gaussian", "constant"])
def test_one_window_equals_the_plain_forward(net, blend):
    frame = torch.randn(1, 3, 64, 96)
    small = nn.Sequential(net, nn.AvgPool2d(4))
    plan = plan_windows((64, 96), (64, 96))
    with torch.inference_mode():
        plain = F.interpolate(small(frame), (64, 96), mode="bilinear")[0]
    torch.testing.assert_close(stitch(frame, small, plan, 4, blend=blend).logits(), plain)


class SeesItsBorder(nn.Module):
    """A smooth network whose zero padding bends the logits near a window's border."""

    def __init__(self):
        super().__init__()
        self.blur = nn.Conv2d(3, 1, 15, padding=7, bias=False)
        nn.init.constant_(self.blur.weight, 1 / (3 * 15 * 15))

    def forward(self, windows):
        return 10 * self.blur(self.blur(windows).expand(-1, 3, -1, -1))


def jump(logits, plan):
    """Mean step across window borders over the mean step elsewhere."""
    steps = logits.diff(dim=-1).abs()
    edges = {left - 1 for left in plan.lefts} | {left + plan.window[1] - 1 for left in plan.lefts}
    edge = [x for x in sorted(edges) if 0 <= x < steps.shape[-1]]
    inside = [x for x in range(steps.shape[-1]) if x not in edges]
    return float(steps[..., edge].mean() / steps[..., inside].mean())


@pytest.mark.parametrize("overlap", [0.125, 0.25])
def test_cosine_blending_leaves_no_seam(overlap):
    y, x = torch.meshgrid(torch.arange(256.0), torch.arange(384.0), indexing="ij")
    frame = (2 + torch.sin(x / 23) + torch.cos(y / 31)).expand(1, 3, -1, -1)
    plan = plan_windows((256, 384), (128, 128), overlap=overlap)
    net = SeesItsBorder()
    smooth = jump(stitch(frame, net, plan, 1).logits(), plan)
    plain = jump(stitch(frame, net, plan, 1, blend="constant").logits(), plan)
    assert smooth < 1.3
    assert plain > 3  # the measure does see a seam where there is one


def test_probabilities_are_256_levels_of_the_sigmoid(net):
    frame = torch.randn(1, 3, 64, 96)
    one = nn.Sequential(net, nn.Conv2d(2, 1, 1), nn.AvgPool2d(2))
    stitched = stitch(frame, one, plan_windows((64, 96), (64, 64)), 2)
    prob = stitched.prob()
    assert prob.dtype == np.uint8
    exact = 255 * stitched.logits()[0].sigmoid().numpy()
    assert np.abs(prob - exact).max() <= 0.5 + 1e-3


def test_foreground_of_several_logits_is_what_background_leaves(net):
    frame = torch.randn(1, 3, 64, 64)
    stitched = stitch(frame, net, plan_windows((64, 64), (64, 64)), 1)
    exact = 255 * stitched.logits().softmax(0)[1].numpy()
    assert np.abs(stitched.prob() - exact).max() <= 0.5 + 1e-3


def test_rows_outside_the_band_are_surely_background(net):
    frame = torch.randn(1, 3, 160, 64)
    plan = plan_windows((160, 64), (64, 64), rows=(90, 160))
    stitched = stitch(frame, net, plan, 1)
    assert stitched.prob()[: plan.rows[0]].max() == 0
    assert stitched.logits()[:, : plan.rows[0]].softmax(0)[1].max() < 1e-6
    assert stitched.logits().shape == (2, 160, 64)


def test_frames_that_are_no_multiple_of_the_stride_keep_their_size(net):
    plan = plan_windows((101, 67), (64, 64))
    stitcher = Stitcher(plan, 4)
    stitcher.add(torch.zeros(len(plan), 1, 16, 16), 0)
    assert stitcher.prob().shape == (101, 67)
    assert (stitcher.prob() == 128).all()


def test_weights_are_shared_and_canvases_are_not():
    first = Stitcher(plan_windows((64, 64), (64, 64)), 4)
    second = Stitcher(first.plan, 4, weights=first.weights)
    first.add(torch.ones(1, 1, 16, 16), 0)
    assert second.weights is first.weights
    assert second.head_logits().abs().max() == 0


def test_a_stride_off_the_grid_is_refused():
    with pytest.raises(UsageError, match="stride 32"):
        Stitcher(plan_windows((640, 100), (64, 64)), 32)


@pytest.mark.parametrize("depth", [2, 4])
def test_a_logit_for_borders_is_no_class(depth):
    torch.manual_seed(5)
    plan = plan_windows((100, 90), (64, 64))
    logits = 3 * torch.randn(len(plan), depth, 16, 16)
    beside, alone = Stitcher(plan, 4, depth, rim=True), Stitcher(plan, 4, depth - 1)
    border = Stitcher(plan, 4)
    shares = ((beside, logits), (alone, logits[:, :-1]), (border, logits[:, -1:]))
    for stitcher, part in shares:
        stitcher.add(part, 0)
    for name in ("prob", "classes"):
        gap = getattr(beside, name)().astype(int) - getattr(alone, name)()
        assert np.abs(gap).max() <= (1 if name == "prob" else 0)
    assert np.abs(beside.rim().astype(int) - border.prob()).max() <= 1
