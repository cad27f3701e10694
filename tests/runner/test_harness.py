"""The harness as train.py sees it, with the real torch, which takes seconds to import: few tests, each of them full."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import runner
from runner.result import Final, Result, Status, read_line, read_metrics

CHECKOUT = Path(runner.__file__).parents[1]

WHOLE = """
import random, time, harness, numpy, torch
run = harness.start(seed=7, seconds=0.3)
first = (random.random(), numpy.random.rand(), torch.rand(1).item())
random.seed(7); numpy.random.seed(7); torch.manual_seed(7)
assert first == (random.random(), numpy.random.rand(), torch.rand(1).item())
assert isinstance(run.device, torch.device)
assert not run.out_of_time() and 0 <= run.progress < 1
step = 0
while not run.out_of_time():
    step += 1
    run.log(step, loss=torch.tensor(2.0, requires_grad=True), lr=1e-3, tokens=step * 8)
    time.sleep(0.01)
assert run.progress == 1.0 and run.elapsed >= run.seconds
path = run.save("best.pt", {"weights": torch.ones(2)})
assert torch.equal(torch.load(path)["weights"], torch.ones(2))
run.finish(val_bpb=torch.tensor(2.25), tokens=1_000_000)
"""

DIVERGING = """
from runner import harness
run = harness.start(seconds=999)
assert run.seconds == 5
for step, loss in enumerate([1.0, float("nan"), 1.0, float("nan"), float("inf"), float("nan"), 1.0]):
    run.log(step, loss=loss)
"""


def test_a_plain_script_with_the_harness_beside_it(tmp_path: Path) -> None:
    shutil.copy(CHECKOUT / "runner" / "harness.py", tmp_path)
    (tmp_path / "train.py").write_text(WHOLE)
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("TRAINWRIGHT", "PYTHONPATH"))}
    done = subprocess.run([sys.executable, "train.py"], cwd=tmp_path, env=plain, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    lines = (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()
    points = read_metrics("\n".join(lines))
    assert len(points) == len(lines) - 1
    assert points[0].values == {"loss": 2.0, "lr": 0.001, "tokens": 8.0}
    final = read_line(lines[-1])
    assert isinstance(final, Final)
    assert (final.step, final.values) == (points[-1].step, {"val_bpb": 2.25, "tokens": 1e6})
    assert done.stdout.splitlines()[-1].startswith("final | val_bpb 2.2500 | tokens 1000000 | ")
    assert [path.name for path in (tmp_path / "out" / "checkpoints").iterdir()] == ["best.pt"]


def test_a_training_that_diverges_under_the_runner(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(DIVERGING)
    command = [sys.executable, "-P", "-m", "runner", "train", "--folder", str(tmp_path), "--out", str(tmp_path / "out")]
    environment = dict(os.environ) | {"PYTHONPATH": str(CHECKOUT)}
    subprocess.run([*command, "--seconds", "5"], env=environment, capture_output=True, check=True)
    result = Result.from_json((tmp_path / "out" / "result.json").read_text())
    assert result.status is Status.DIVERGED, result
    assert "step 5" in result.reason
    assert result.error is not None
    assert (result.error.type, result.error.file, result.error.line) == ("runner.harness.Diverged", "train.py", 6)
    lines = (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1]) == {"diverged": True, "step": 5}
