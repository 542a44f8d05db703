"""`sam-crack adapters`: what each method would train in an encoder, counted on the encoder."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch

from sam_crack.adapt.inject import Adaptation, inject
from sam_crack.adapt.methods import METHODS
from sam_crack.config.schema import AdapterConfig, BackboneName
from sam_crack.config.verbs import AdaptersOptions
from sam_crack.console import Console

from .backbones import BACKBONES, new_encoder

HEADER = ("method", "on", "matched", "trains M", "share %", "disk MB", "folds", "source")


@dataclass(frozen=True)
class Row:
    """One method, counted on one encoder."""

    method: str
    summary: str
    targets: tuple[str, ...]
    matched: int
    trainable: int
    share: float
    adapter_bytes: int
    mergeable: bool
    limit: str
    paper: str

    def cells(self) -> tuple[str, ...]:
        """Write the row for a person."""
        return (
            self.method,
            ",".join(self.targets) or "-",
            f"{self.matched:7d}",
            f"{self.trainable / 1e6:8.3f}",
            f"{100 * self.share:7.2f}",
            f"{self.adapter_bytes / 1e6:7.2f}",
            "yes" if self.mergeable else "no",
            self.paper,
        )


def run_adapters(options: AdaptersOptions, console: Console) -> dict[str, object]:
    """Inject every method with its defaults into an encoder without weights, and compare."""
    family = BACKBONES[options.backbone].family
    rows = []
    for name in console.progress(METHODS, "counting", total=len(METHODS), unit="method"):
        spec, facts = METHODS[name], adaptation_of(options.backbone, AdapterConfig(method=name))
        rows.append(
            Row(
                method=name,
                summary=spec.summary,
                targets=facts.asked,
                matched=len(facts.matched),
                trainable=facts.trainable,
                share=facts.trainable / facts.total,
                adapter_bytes=facts.adapter_bytes,
                mergeable=spec.mergeable,
                limit=spec.limits.get(family, ""),
                paper=spec.paper,
            )
        )
    console.say(f"{options.backbone}: encoder only, default settings; the head is trained besides")
    console.table(HEADER, [row.cells() for row in rows])
    console.say()
    for row in rows:
        limit = f" (here: {row.limit})" if row.limit else ""
        console.say(f"{row.method:10}  {row.summary}{limit}")
    return {"backbone": options.backbone, "methods": [asdict(row) for row in rows]}


def adaptation_of(backbone: BackboneName, config: AdapterConfig) -> Adaptation:
    """Count on an encoder whose tensors have shapes but no memory, so that vit_h is as quick."""
    with torch.device("meta"):
        encoder = new_encoder(BACKBONES[backbone])
    return inject(encoder, config, encoder.sites).adaptation
