"""SAM's prompt encoder and mask decoder for a batch of windows of any shape.

The layers are those of `segment_anything`; only the batching is our own, because the published
one repeats every image for every prompt. MobileSAM uses the same decoder.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder, TwoWayTransformer
from torch import Tensor, nn

from sam_crack.errors import BadInput, IntegrityError

CHANNELS = 256
PATCH = 16
PREFIXES = ("prompt_encoder.", "mask_decoder.")


class PromptDecoder(nn.Module):
    """Turns embeddings and prompts, one set per image, into low-resolution mask logits."""

    def __init__(self, state: Mapping[str, Tensor] | None = None, *, seed: int = 0) -> None:
        """Make the layers and load the decoder part of an official SAM or MobileSAM state.

        Args:
            state: All tensors of the official file; None leaves weights from the seed.
            seed: Seed of weights that are not loaded.
        """
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            # The sizes given here are only defaults of methods that are not used.
            self.prompt_encoder = PromptEncoder(CHANNELS, (64, 64), (1024, 1024), 16)
            transformer = TwoWayTransformer(2, CHANNELS, num_heads=8, mlp_dim=2048)
            self.mask_decoder = MaskDecoder(transformer_dim=CHANNELS, transformer=transformer)
        if state is not None:
            self._load(state)

    def _load(self, state: Mapping[str, Tensor]) -> None:
        given = {key: state[key] for key in state if key.startswith(PREFIXES)}
        wanted = self.state_dict()
        wrong = sorted(
            given.keys() ^ wanted.keys()
            | {key for key in given.keys() & wanted.keys() if given[key].shape != wanted[key].shape}
        )
        if wrong:
            raise IntegrityError(
                f"weights do not fit SAM's decoder: {', '.join(wrong[:8])}",
                f"a state with its {len(wanted)} tensors",
                "fetch the base weights again",
            )
        self.load_state_dict(given)

    def forward(
        self,
        embedding: Tensor,
        *,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return three mask logits (b, 3, h/4, w/4) and their predicted IoU (b, 3).

        Args:
            embedding: (b, 256, h/16, w/16), an encoder's output.
            points: (b, n, 2) as (y, x) in pixels of the window.
            labels: (b, n): 1 belongs to the object, 0 does not, -1 fills up shorter rows.
            boxes: (b, 4) as (top, left, bottom, right) in pixels of the window.
        """
        sparse, dense = self.encode(embedding, points=points, labels=labels, boxes=boxes)
        masks, iou, _ = self.decode(embedding, sparse, dense)
        return masks, iou

    def encode(
        self,
        embedding: Tensor,
        *,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the sparse (b, n, 256) and dense (b, 256, h/16, w/16) embedding of prompts."""
        _check(embedding.shape[0], points, labels, boxes)
        parts = [embedding.new_zeros(embedding.shape[0], 0, CHANNELS)]
        if points is not None and labels is not None:
            if boxes is None:
                # SAM marks the absence of a box by one empty point.
                points = torch.cat([points, points.new_zeros(len(points), 1, 2)], dim=1)
                labels = torch.cat([labels, -labels.new_ones(len(labels), 1)], dim=1)
            parts.append(self._embed_points(points, labels, embedding))
        if boxes is not None:
            corners = self._positions(boxes.reshape(-1, 2, 2), embedding)
            kinds = [self.prompt_encoder.point_embeddings[kind].weight for kind in (2, 3)]
            parts.append(corners + torch.cat(kinds))
        dense = self.prompt_encoder.no_mask_embed.weight.view(1, -1, 1, 1)
        return torch.cat(parts, dim=1), dense.expand_as(embedding)

    def decode(
        self, embedding: Tensor, sparse: Tensor, dense: Tensor, *, multimask: bool = True
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return mask logits (b, m, h/4, w/4), predicted IoU (b, m) and upscaled (b, 32, h/4, w/4).

        Args:
            embedding: (b, 256, h/16, w/16), an encoder's output.
            sparse: (b, n, 256) prompt tokens; n may be 0.
            dense: What is added to the embedding, of its shape or one that broadcasts to it.
            multimask: Three masks for ambiguous prompts, or the single one.
        """
        decoder = self.mask_decoder
        batch = embedding.shape[0]
        outputs = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
        tokens = torch.cat([outputs.expand(batch, -1, -1), sparse], dim=1)
        source = embedding + dense
        position = self.prompt_encoder.pe_layer(tuple(source.shape[2:])).expand_as(source)
        hidden, source_tokens = decoder.transformer(source, position, tokens)
        source = source_tokens.transpose(1, 2).reshape(source.shape)
        upscaled: Tensor = decoder.output_upscaling(source)
        chosen = range(1, decoder.num_mask_tokens) if multimask else range(1)
        weights = [
            decoder.output_hypernetworks_mlps[index](hidden[:, 1 + index]) for index in chosen
        ]
        masks = torch.einsum("bmc,bchw->bmhw", torch.stack(weights, dim=1), upscaled)
        iou: Tensor = decoder.iou_prediction_head(hidden[:, 0])
        return masks, iou[:, chosen.start : chosen.stop], upscaled

    def _positions(self, places: Tensor, embedding: Tensor) -> Tensor:
        """Encode (b, n, 2) places given as (y, x) by SAM's random frequencies."""
        size = (embedding.shape[2] * PATCH, embedding.shape[3] * PATCH)
        centred = places.flip(-1).to(embedding.dtype) + 0.5
        encoded: Tensor = self.prompt_encoder.pe_layer.forward_with_coords(centred, size)
        return encoded

    def _embed_points(self, points: Tensor, labels: Tensor, embedding: Tensor) -> Tensor:
        """Add to each place what its label means; an empty point has no place."""
        encoder = self.prompt_encoder
        kinds = torch.cat(
            [
                encoder.not_a_point_embed.weight,
                encoder.point_embeddings[0].weight,
                encoder.point_embeddings[1].weight,
            ]
        )
        placed = self._positions(points, embedding) * (labels >= 0)[..., None]
        return placed + kinds[labels.long() + 1]


def _check(batch: int, points: Tensor | None, labels: Tensor | None, boxes: Tensor | None) -> None:
    """Refuse prompts that do not come as one set per image."""
    given = {"points": points, "labels": labels, "boxes": boxes}
    shapes = {name: tuple(part.shape) for name, part in given.items() if part is not None}
    fits = (points is None) == (labels is None)
    if points is not None and labels is not None:
        fits &= points.shape == (batch, points.shape[1], 2) and labels.shape == points.shape[:2]
        fits &= bool(((labels >= -1) & (labels <= 1)).all())
    if boxes is not None:
        fits &= boxes.shape == (batch, 4)
    if not fits:
        raise BadInput(
            f"prompts of shapes {shapes} for {batch} images",
            "points (b, n, 2) with labels (b, n) of -1, 0 or 1, boxes (b, 4)",
            "give one set of prompts per image",
        )
