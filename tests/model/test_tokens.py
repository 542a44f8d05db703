import torch

from sam_crack.model.tokens import crop_tokens, pad_tokens


def test_cropped_tokens_are_those_that_were_padded_in_memory_of_their_own():
    tokens = torch.rand(2, 4, 6, 5)
    padded = pad_tokens(tokens, torch.rand(1, 1, 1, 5), (3, 1))
    assert padded.shape == (2, 7, 7, 5)
    cropped = crop_tokens(padded, 4, 6)
    assert torch.equal(cropped, tokens)
    assert cropped.is_contiguous()
