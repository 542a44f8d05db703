"""Trains the tiny run in a folder, resuming what is there; started by tests as a process."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from tests.train.tiny_run import session, with_train

torch.set_num_threads(1)

if __name__ == "__main__":
    folder, steps = Path(sys.argv[1]), int(sys.argv[2])
    batch = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    methods = sys.argv[4].split(",") if len(sys.argv) > 4 else ["lora"]
    for method in methods:
        here = folder / method if len(sys.argv) > 4 else folder
        config = with_train(steps=steps, batch_size=batch, save_every=1)
        adapter = dataclasses.replace(config.model.adapter, method=method)
        model = dataclasses.replace(config.model, adapter=adapter)
        run = session(here, dataclasses.replace(config, model=model))
        before = run.validator(0).facts() if len(sys.argv) > 4 else {}
        result = run.fit(resume=True)
        if run.run.accelerator.is_main_process:
            (here / "result.json").write_text(json.dumps([{"before": before}, *result.history]))
