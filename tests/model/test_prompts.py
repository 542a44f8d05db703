import pytest
import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder, TwoWayTransformer

from sam_crack.errors import BadInput, IntegrityError
from sam_crack.model.prompts import PromptDecoder

GRIDS = [(64, 64), (32, 32), (24, 36)]
POINTS = torch.tensor([[[10.0, 200.5], [300.0, 17.0], [0.0, 0.0]], [[9.0, 8.0], [7, 6], [5, 4]]])
LABELS = torch.tensor([[1, 0, 1], [0, 1, -1]])
BOXES = torch.tensor([[12.0, 20.0, 250.0, 300.5], [1.0, 2.0, 30.0, 40.0]])


def make_reference(grid):
    """Meta's own prompt encoder and mask decoder, which take one image at a time."""
    torch.manual_seed(5)
    encoder = PromptEncoder(256, grid, (16 * grid[0], 16 * grid[1]), 16)
    transformer = TwoWayTransformer(depth=2, embedding_dim=256, mlp_dim=2048, num_heads=8)
    decoder = MaskDecoder(transformer_dim=256, transformer=transformer)
    state = {f"prompt_encoder.{key}": part for key, part in encoder.state_dict().items()}
    state |= {f"mask_decoder.{key}": part for key, part in decoder.state_dict().items()}
    return encoder, decoder, state


def close(found, wanted):
    return (found - wanted).norm() <= 1e-5 * wanted.norm()


@torch.no_grad()
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("kinds", ["points", "boxes", "points boxes", ""])
def test_a_batch_equals_segment_anything_one_at_a_time(grid, kinds):
    encoder, decoder, state = make_reference(grid)
    embedding = torch.randn(2, 256, *grid)
    use_points, use_boxes = "points" in kinds, "boxes" in kinds
    masks, iou = PromptDecoder({**state, "image_encoder.x": torch.zeros(1)})(
        embedding,
        points=POINTS if use_points else None,
        labels=LABELS if use_points else None,
        boxes=BOXES if use_boxes else None,
    )
    assert masks.shape == (2, 3, 4 * grid[0], 4 * grid[1])
    for index in range(2):
        row = slice(index, index + 1)
        sparse, dense = encoder(
            points=(POINTS[row].flip(-1), LABELS[row]) if use_points else None,
            boxes=BOXES[row][:, [1, 0, 3, 2]] if use_boxes else None,
            masks=None,
        )
        pe = encoder.get_dense_pe()
        wanted = decoder(embedding[row], pe, sparse, dense, multimask_output=True)
        assert close(masks[row], wanted[0])
        assert close(iou[row], wanted[1])


@torch.no_grad()
def test_single_mask_and_upscaled_belong_together():
    encoder, decoder, state = make_reference((8, 8))
    prompts = PromptDecoder(state)
    embedding = torch.randn(1, 256, 8, 8)
    sparse, dense = prompts.encode(embedding)
    masks, iou, upscaled = prompts.decode(embedding, sparse, dense, multimask=False)
    wanted = decoder(embedding, encoder.get_dense_pe(), *encoder(None, None, None), False)
    assert upscaled.shape == (1, 32, 32, 32)
    assert close(masks, wanted[0])
    assert close(iou, wanted[1])


def test_gradients_reach_the_embedding_and_the_decoder():
    prompts = PromptDecoder()
    embedding = torch.randn(2, 256, 4, 4, requires_grad=True)
    prompts(embedding, boxes=BOXES)[0].square().mean().backward()
    assert embedding.grad.abs().sum() > 0
    assert prompts.mask_decoder.mask_tokens.weight.grad.abs().sum() > 0


def test_random_weights_come_from_a_seed():
    first, second = (PromptDecoder().state_dict() for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize(
    "change", [lambda s: s.popitem(), lambda s: s.update({"mask_decoder.x": 0})]
)
def test_weights_that_do_not_fit_are_named(change):
    state = make_reference((4, 4))[2]
    change(state)
    with pytest.raises(IntegrityError, match="mask_decoder"):
        PromptDecoder(state)


@pytest.mark.parametrize(
    "prompts",
    [
        {"points": POINTS},
        {"points": POINTS, "labels": LABELS[:1]},
        {"points": POINTS, "labels": LABELS + 1},
        {"boxes": BOXES[0]},
        {"boxes": torch.cat([BOXES, BOXES])},
    ],
)
def test_prompts_that_do_not_match_the_images_are_refused(prompts):
    with pytest.raises(BadInput, match="one set of prompts per image"):
        PromptDecoder()(torch.zeros(2, 256, 4, 4), **prompts)
