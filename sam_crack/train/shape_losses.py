"""Losses that look at shapes: centre lines, tubes around them, neighbours and borders."""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from skimage.morphology import skeletonize
from torch import Tensor

from .pixel_losses import cross_entropy, dice, one_hot, probabilities


def _soft_skeleton(image: Tensor, num_iterations: int = 5) -> Tensor:
    """Differentiable skeleton by repeated min and max pooling (Shit 2021, algorithm 1)."""

    def erode(x: Tensor) -> Tensor:
        return torch.minimum(
            -F.max_pool2d(-x, (3, 1), 1, (1, 0)), -F.max_pool2d(-x, (1, 3), 1, (0, 1))
        )

    def opened(x: Tensor) -> Tensor:
        return F.max_pool2d(erode(x), 3, 1, 1)

    skeleton = F.relu(image - opened(image))
    for _ in range(num_iterations):
        image = erode(image)
        delta = F.relu(image - opened(image))
        skeleton = skeleton + F.relu(delta - skeleton * delta)
    return skeleton


def cldice(logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """One minus soft centre-line Dice (Shit 2021, eq. 3); crops without foreground give 0."""
    prob = probabilities(logits) * valid.unsqueeze(1)
    truth = one_hot(target, prob.shape[1]) * valid.unsqueeze(1)
    skeleton_prob, skeleton_truth = _soft_skeleton(prob), _soft_skeleton(truth)
    precision = ((skeleton_prob * truth).sum((2, 3)) + 1) / (skeleton_prob.sum((2, 3)) + 1)
    recall = ((skeleton_truth * prob).sum((2, 3)) + 1) / (skeleton_truth.sum((2, 3)) + 1)
    present = (truth.sum((2, 3)) > 0).to(prob.dtype)
    return ((1 - 2 * precision * recall / (precision + recall)) * present).mean()


def skeleton_recall(logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """One minus soft recall on a tube around the truth's centre line (Kirchhoff 2024, eq. 3).

    It says nothing of false positives: add it to losses that do.
    """
    prob = probabilities(logits)
    truth = one_hot(target, prob.shape[1]).to(prob.dtype) * valid.unsqueeze(1)
    tube = _skeletons(truth)
    for _ in range(2):  # a cross twice: the paper's tube of radius 2
        tube = torch.maximum(
            F.max_pool2d(tube, (3, 1), 1, (1, 0)), F.max_pool2d(tube, (1, 3), 1, (0, 1))
        )
    tube = tube * truth
    return (1 - ((prob * tube).sum((2, 3)) + 1) / (tube.sum((2, 3)) + 1)).mean()


def _skeletons(truth: Tensor) -> Tensor:
    """Thin every mask of a batch, on the CPU: thinning walks along borders, one pixel at a time."""
    masks = truth.detach().cpu().numpy() > 0
    thinned = np.zeros(masks.shape, np.float32)
    for place in np.ndindex(masks.shape[:2]):
        if masks[place].any():
            thinned[place] = skeletonize(masks[place])
    return torch.from_numpy(thinned).to(truth)


def scnp(logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Cross-entropy and Dice of each logit's worst neighbour of the same class within 3 x 3."""
    count = logits.shape[1]
    if count == 1:
        inside = (target > 0).unsqueeze(1)
    else:
        inside = target.unsqueeze(1) == torch.arange(count, device=target.device)[:, None, None]
    known = valid.unsqueeze(1)
    lowest = -F.max_pool2d((-logits).masked_fill(~(inside & known), -torch.inf), 3, 1, 1)
    highest = F.max_pool2d(logits.masked_fill(~(~inside & known), -torch.inf), 3, 1, 1)
    worst = torch.where(inside, lowest, highest)
    worst = torch.where(known, worst, logits)
    return cross_entropy(worst, target, valid) + dice(worst, target, valid)


def boundary(logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Probability times signed distance to the truth's border (Kervadec 2019, eq. 5).

    Distances are shares of the crop's longer side, so that a weight means the same for any size;
    crops without foreground give 0. It falls below 0 inside the truth.
    """
    prob = probabilities(logits)
    truth = one_hot(target, prob.shape[1]) * valid.unsqueeze(1)
    distance = _signed_distances(truth).to(prob.dtype) / max(target.shape[1:])
    weight = valid.unsqueeze(1).to(prob.dtype)
    sums = (prob * distance * weight).sum((2, 3))
    return (sums / weight.sum((2, 3)).clamp(min=1)).mean()


def _signed_distances(truth: Tensor) -> Tensor:
    """Return pixels to the border of every mask: below zero inside, 0 where there is no mask."""
    masks = (truth.detach().cpu().numpy() > 0).astype(np.uint8)
    found = np.zeros(masks.shape, np.float32)
    for place in np.ndindex(masks.shape[:2]):
        mask = masks[place]
        if mask.any():
            # Without background there is no border: every pixel is as good as on it.
            inner = 1 - _distances(mask) if not mask.all() else 0.0
            found[place] = np.where(mask > 0, inner, _distances(1 - mask))
    return torch.from_numpy(found).to(truth.device)


def _distances(inside: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how far each pixel inside is from the outside.

    OpenCV's last bits depend on where in memory a mask lies, and a resumed run would too. Squares
    of distances between pixels are whole numbers, which makes them exact again.
    """
    about = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    exact = np.sqrt(np.rint(np.square(about, dtype=np.float64)))
    return np.asarray(exact, np.float32)
