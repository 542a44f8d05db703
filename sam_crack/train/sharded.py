"""Models whose tensors are spread over processes (FSDP2), and how to see and set them whole."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor


def is_sharded(model: nn.Module) -> bool:
    """Whether a process holds only parts of the weights."""
    return any(isinstance(parameter, DTensor) for parameter in model.parameters())


def whole(tensor: Tensor) -> Tensor:
    """Return all of a tensor; every process must ask at the same time."""
    if isinstance(tensor, DTensor):
        full: Tensor = tensor.full_tensor()
        return full
    return tensor


def like(value: Tensor, parameter: Tensor) -> Tensor:
    """Return a whole tensor as the parameter is kept: on its device, and in parts if it is."""
    moved = value.to(parameter.device)
    if isinstance(parameter, DTensor):
        return distribute_tensor(moved, parameter.device_mesh, parameter.placements)
    return moved


@torch.no_grad()
def copy_whole(source: nn.Module, target: nn.Module) -> None:
    """Set the weights of a model that is whole to those of one in parts."""
    own = dict(target.named_parameters())
    for name, parameter in source.named_parameters():
        own[name].copy_(whole(parameter.detach()))
