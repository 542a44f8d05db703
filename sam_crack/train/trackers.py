"""Trackers besides the run's own record; none of them can stop a training run."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from sam_crack.config.load import config_hash
from sam_crack.config.schema import RunConfig
from sam_crack.config.values import plain
from sam_crack.console import Console
from sam_crack.errors import UsageError

PROJECT = "sam-crack"


class Tracker:
    """Sends what happens to wandb or TensorBoard; after its first failure it keeps silent."""

    def __init__(self, config: RunConfig, folder: Path, console: Console, *, write: bool) -> None:
        """Refuse what is not installed, before anything takes long; open nothing yet."""
        if config.train.track == "tensorboard" and importlib.util.find_spec("tensorboard") is None:
            raise UsageError(
                "train.track: tensorboard, which is not installed",
                "the extra `tensorboard` of this package",
                "run: pip install 'sam-crack[tensorboard]', or leave train.track out",
            )
        self._console, self._config, self._folder = console, config, folder
        self._kind, self._write = config.train.track, write
        self._backend: Any = None

    def open(self) -> None:
        """Begin to report."""
        if self._write:
            self._guarded(lambda: self._open(self._config, self._folder))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Report numbers of one step."""
        self._guarded(lambda: self._backend and self._backend.log(dict(values), step=step))

    def page(self, step: int, picture: NDArray[np.uint8]) -> None:
        """Report the page of samples, RGB."""
        images = {"samples": picture[np.newaxis]}
        order = {"dataformats": "NHWC"} if self._kind == "tensorboard" else {}
        self._guarded(
            lambda: self._backend and self._backend.log_images(images, step=step, **order)
        )

    def close(self, checkpoint: Path) -> None:
        """Hand over the checkpoint where the tracker keeps files, and end."""
        if self._kind == "wandb":
            self._guarded(lambda: self._keep(checkpoint))
        self._guarded(lambda: self._backend and self._backend.finish())
        self._backend = None

    def _open(self, config: RunConfig, folder: Path) -> None:
        flat = {name: str(value) for name, value in _flat(plain(config))}
        flat["config_sha256"] = config_hash(config)
        match config.train.track:
            case "none":
                return
            case "wandb":
                import wandb
                from accelerate.tracking import WandBTracker

                backend: Any = WandBTracker(
                    PROJECT,
                    name=folder.name,
                    dir=str(folder),
                    mode="offline" if self._console.offline else _wandb_mode(),
                    settings=wandb.Settings(
                        console="off", disable_git=True, silent=self._console.quiet
                    ),
                )
            case "tensorboard":
                from accelerate.tracking import TensorBoardTracker

                backend = TensorBoardTracker("tensorboard", logging_dir=str(folder))
            case never:
                assert_never(never)
        if hasattr(backend, "start"):  # later versions of Accelerate open in two steps
            backend.start()
        backend.store_init_configuration(flat)
        self._backend = backend

    def _keep(self, checkpoint: Path) -> None:
        if self._backend is None or not checkpoint.is_dir():
            return
        import wandb

        artifact = wandb.Artifact(f"{checkpoint.parent.name}-{checkpoint.name}", type="model")
        artifact.add_dir(str(checkpoint))
        self._backend.tracker.log_artifact(artifact)

    def _guarded(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Exception as error:
            self._console.warn(
                f"{self._kind} gave up, training goes on without it: "
                f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            )
            self._backend = None


def _wandb_mode() -> str:
    """Offline unless the environment asks for more: nothing goes out by itself."""
    return os.environ.get("WANDB_MODE", "offline")


def _flat(tree: Any, prefix: str = "") -> list[tuple[str, object]]:  # noqa: ANN401 - plain JSON
    if not isinstance(tree, dict):
        return [(prefix.rstrip("."), tree)]
    return [pair for key, value in tree.items() for pair in _flat(value, f"{prefix}{key}.")]
