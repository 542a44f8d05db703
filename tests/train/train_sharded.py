"""Trains the tiny run with its weights spread over processes; started by a test as processes.

Accelerate shards on GPUs only, so that its place is taken by torch's own `fully_shard` on CPUs.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
from accelerate import Accelerator, DistributedType
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from sam_crack.train import session as session_module
from tests.train.tiny_run import session, with_train

torch.set_num_threads(1)


class Sharding(Accelerator):
    """Splits blocks and the rest, and gives the optimiser the parts in place of the whole."""

    @property
    def distributed_type(self) -> DistributedType:
        return DistributedType.FSDP

    def prepare(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[object, object]:
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        mesh = init_device_mesh("cpu", (self.num_processes,))
        for block in model.encoder.blocks:
            fully_shard(block, mesh=mesh)
        fully_shard(model, mesh=mesh)
        parts = dict(model.named_parameters())
        for group in optimizer.param_groups:
            group["params"] = [parts[names[id(parameter)]] for parameter in group["params"]]
        return model, optimizer

    def backward(self, loss: torch.Tensor) -> None:
        loss.backward()

    def clip_grad_norm_(self, parameters: object, norm: float) -> torch.Tensor:
        return nn.utils.clip_grad_norm_(parameters, norm)

    def reduce(self, tensor: torch.Tensor, reduction: str = "sum") -> torch.Tensor:
        summed = tensor.clone()
        torch.distributed.all_reduce(summed)
        return summed / self.num_processes if reduction == "mean" else summed


if __name__ == "__main__":
    folder, steps = Path(sys.argv[1]), int(sys.argv[2])
    session_module.Accelerator = Sharding
    config = with_train(steps=steps, save_every=1, ema=0.5)
    adapter = dataclasses.replace(config.model.adapter, method="full")
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, adapter=adapter))
    run = session(folder, config)
    assert run.run.mirror is not None
    result = run.fit(resume=True)
    if run.run.accelerator.is_main_process:
        (folder / "result.json").write_text(json.dumps(result.history))
