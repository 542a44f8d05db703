import pytest
import torch

from sam_crack.errors import UsageError
from sam_crack.infer.device import choose_device


def test_a_device_is_taken_by_name():
    assert choose_device("cpu") == torch.device("cpu")
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert choose_device("auto").type == expected


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "meta?", ""])
def test_a_device_that_is_not_there_is_named(name):
    with pytest.raises(UsageError, match="is not available here"):
        choose_device(name)
