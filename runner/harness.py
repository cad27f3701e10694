"""What train.py should not have to think about: seed, device, time budget, metrics, checkpoints, divergence.

from runner import harness                  # or `import harness`, with this file copied beside train.py
run = harness.start(seed=1337, seconds=20)
while not run.out_of_time(): ...            # train, and now and then run.log(step, loss=loss, lr=lr)
run.finish(val_bpb=2.31)

Under the runner, TRAINWRIGHT_OUT and TRAINWRIGHT_SECONDS say where to write and how long to train.
Without them train.py is a plain script that writes to ./out.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
import os
import random
import time
from pathlib import Path
from typing import SupportsFloat

import torch

PATIENCE = 3  # losses in a row that are NaN or infinite before the training is given up


class Diverged(RuntimeError):  # noqa: N818 - a train.py that catches it reads as a sentence
    """The loss was NaN or infinite several times in a row."""


def start(seed: int = 1337, *, seconds: float | None = None) -> Run:
    """Seed everything and start the clock. `seconds` counts only where the runner gives no budget."""
    random.seed(seed)
    torch.manual_seed(seed)
    if importlib.util.find_spec("numpy") is not None:
        importlib.import_module("numpy").random.seed(seed)
    budget = os.environ.get("TRAINWRIGHT_SECONDS")
    return Run(Path(os.environ.get("TRAINWRIGHT_OUT", "out")), seconds=float(budget) if budget else seconds)


class Run:
    """One training, from `start` to `finish`."""

    def __init__(self, out: Path, *, seconds: float | None) -> None:
        self.device = _device()
        self.seconds = seconds  # time budget of the training loop; None: as long as it takes
        self.step = 0
        self._out = out
        self._bad = 0
        self._printed = -math.inf
        out.mkdir(parents=True, exist_ok=True)
        self._metrics = open(out / "metrics.jsonl", "w", buffering=1)  # noqa: SIM115 - open as long as the process
        self._started = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since `start`."""
        return time.monotonic() - self._started

    @property
    def progress(self) -> float:
        """Fraction of the time budget used, 0 to 1: a learning-rate schedule's clock. 0 without a budget."""
        return min(1.0, self.elapsed / self.seconds) if self.seconds else 0.0

    def out_of_time(self) -> bool:
        return self.seconds is not None and self.elapsed >= self.seconds

    def log(self, step: int, **values: SupportsFloat) -> None:
        """One line of metrics; a line on stdout at most every second. Raise Diverged when the loss is lost."""
        self.step = int(step)
        numbers = _floats(values)
        self._write({"step": self.step, "seconds": round(self.elapsed, 3)}, numbers)
        if self.elapsed - self._printed >= 1:
            self._printed = self.elapsed
            print(f"step {self.step} | {_shown(numbers)} | {self.elapsed:.1f} s", flush=True)
        losses = [number for name, number in numbers.items() if "loss" in name]
        if losses:
            self._bad = 0 if all(map(math.isfinite, losses)) else self._bad + 1
        if self._bad >= PATIENCE:
            self._write({"diverged": True, "step": self.step}, {})
            raise Diverged(f"the loss was not finite {self._bad} times in a row, last at step {self.step}")

    def save(self, name: str, state: object) -> Path:
        """A checkpoint, written aside and renamed: a reader never sees half of one."""
        path = self._out / "checkpoints" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(path.name + ".part")
        torch.save(state, aside)
        aside.replace(path)
        return path

    def finish(self, **metrics: SupportsFloat) -> None:
        """The numbers that the run is judged by."""
        numbers = _floats(metrics)
        self._write({"final": True, "step": self.step, "seconds": round(self.elapsed, 3)}, numbers)
        self._metrics.close()
        print(f"final | {_shown(numbers)} | {self.elapsed:.1f} s", flush=True)

    def _write(self, head: dict[str, float], numbers: dict[str, float]) -> None:
        # JSON has no NaN: the reader takes the words "nan", "inf" and "-inf"
        body = {name: value if math.isfinite(value) else str(value) for name, value in numbers.items()}
        self._metrics.write(json.dumps(head | body) + "\n")


def _device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _floats(values: dict[str, SupportsFloat]) -> dict[str, float]:
    """Tensors too, without their graph."""
    return {name: float(v.detach() if isinstance(v, torch.Tensor) else v) for name, v in values.items()}


def _shown(numbers: dict[str, float]) -> str:
    return " | ".join(f"{name} {_short(value)}" for name, value in numbers.items())


def _short(value: float) -> str:
    if value.is_integer() and abs(value) < 1e15:
        return f"{value:.0f}"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e6 else f"{value:.6g}"
