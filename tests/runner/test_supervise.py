"""Whole attempts: `python -m runner train` in a process of its own, over a train.py without torch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

import runner
from runner.result import ARTIFACT_NAMES, Result, Status, read_metrics

CHECKOUT = Path(runner.__file__).parents[1]
# What the harness does, without the seconds that it takes to import torch.
METRICS = """
import json, os, sys, time
metrics = open(os.environ["TRAINWRIGHT_OUT"] + "/metrics.jsonl", "w", buffering=1)
def log(**fields): metrics.write(json.dumps(fields) + "\\n")
"""
PIDS = """
import os
def tell(name): open(os.environ["TRAINWRIGHT_OUT"] + "/" + name, "w").write(str(os.getpid()))
"""


class Bench:
    """A lab's folder, and the runner started on it."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "lab" / "experiments" / "1-x"
        self.out = root / "out"
        self.folder.mkdir(parents=True)

    def start(
        self, script: str | None, *options: str, seconds: float = 20, environment: dict[str, str] | None = None
    ) -> subprocess.Popen[str]:
        if script is not None:
            (self.folder / "train.py").write_text(script)
        known = dict(os.environ) | {"PYTHONPATH": str(CHECKOUT)} | (environment or {})
        command = [*self.command(seconds=seconds), *options]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=known)

    def command(self, *, seconds: float) -> list[str]:
        command = [sys.executable, "-P", "-m", "runner", "train", "--request", "r-7", "--seconds", str(seconds)]
        return [*command, "--folder", str(self.folder), "--out", str(self.out)]

    def train(self, script: str | None, *, seconds: float = 20, environment: dict[str, str] | None = None) -> str:
        process = self.start(script, seconds=seconds, environment=environment)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        return output

    def result(self) -> Result:
        return Result.from_json((self.out / "result.json").read_text())

    def log(self) -> str:
        return zstandard.ZstdDecompressor().decompressobj().decompress((self.out / "log.zst").read_bytes()).decode()

    def pid(self, name: str) -> int:
        return int(wait_for(lambda: (self.out / "work" / name).read_text()))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def wait_for(look: Callable[[], str]) -> str:
    """What there is to see, as soon as it is there; the time-out of the test is the limit."""
    while True:
        try:
            if seen := look():
                return seen
        except OSError:
            pass
        time.sleep(0.02)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_training_that_goes_well(bench: Bench) -> None:
    output = bench.train(
        METRICS
        + """
print("on stdout"); print("on stderr", file=sys.stderr); print("on stdout again")
log(step=340, seconds=0.5, loss=2.31)
time.sleep(2.2)
log(step=341, seconds=2.5, loss=float("inf") and "inf")
log(final=True, step=341, seconds=2.6, val_bpb=2.25)
""",
        seconds=2,
    )
    result = bench.result()
    assert (result.status, result.exit_code, result.signal, result.error) == (Status.OK, 0, None, None)
    assert (result.metrics, result.request, result.runner) == ({"val_bpb": 2.25}, "r-7", runner.__version__)
    assert result.seconds >= 2.2
    assert result.environment["sandbox"] == "none"
    assert bench.log() == "on stdout\non stderr\non stdout again\n"
    assert [point.step for point in read_metrics((bench.out / "metrics.jsonl").read_text())] == [340, 341]
    assert "on stderr" in (bench.out / "digest.md").read_text()
    assert "trainwright: 2 s of 2 s, step 340, loss 2.310\n" in output
    assert {path.name for path in bench.out.iterdir()} == {*ARTIFACT_NAMES, "work"}


def test_a_crash_has_its_line_and_its_traceback(bench: Bench) -> None:
    bench.train("def main():\n    raise ValueError('no such shape')\n\nmain()\n")
    result = bench.result()
    assert (result.status, result.exit_code) == (Status.FAILED, 1)
    assert result.error is not None
    assert (result.error.type, result.error.message) == ("ValueError", "no such shape")
    assert (result.error.file, result.error.line) == ("train.py", 2)
    assert "raise ValueError('no such shape')" in (bench.out / "digest.md").read_text()


def test_a_death_by_signal_is_named(bench: Bench) -> None:
    bench.train("import os, signal; print('last words', flush=True); os.kill(os.getpid(), signal.SIGABRT)")
    result = bench.result()
    assert (result.status, result.exit_code, result.signal) == (Status.FAILED, None, "SIGABRT")


def test_no_train_py(bench: Bench) -> None:
    bench.train(None)
    result = bench.result()
    assert (result.status, result.exit_code, result.seconds) == (Status.FAILED, None, 0.0)
    assert "no train.py" in result.reason
    assert all((bench.out / name).is_file() for name in ARTIFACT_NAMES)


STUBBORN = (
    PIDS
    + """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
tell("main")
if os.fork() == 0:
    tell("child")
    time.sleep(600)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        tell("grandchild")
        time.sleep(600)
    os._exit(0)
print("all are there", flush=True)
time.sleep(600)
"""
)


def test_a_timeout_ends_the_whole_tree(bench: Bench) -> None:
    process = bench.start(STUBBORN, "--hard-seconds", "1", "--grace-seconds", "1", seconds=0.5)
    pids = [bench.pid(name) for name in ("main", "child", "grandchild")]
    assert all(map(runs, pids))
    process.communicate(timeout=30)
    result = bench.result()
    assert (result.status, result.signal) == (Status.TIMEOUT, "SIGKILL")
    assert "hard limit is 1 s" in result.reason
    assert not any(map(runs, pids))
    assert bench.log() == "all are there\n"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_cancel_is_forwarded_and_leaves_a_complete_result(bench: Bench, signum: signal.Signals) -> None:
    script = PIDS + "import time\ntell('main')\nprint('begun', flush=True)\ntime.sleep(600)"
    process = bench.start(script)
    pid = bench.pid("main")
    assert bench.result().status is Status.RUNNING
    process.send_signal(signum)
    process.communicate(timeout=30)
    assert process.returncode == 0
    result = bench.result()
    assert (result.status, result.request) == (Status.CANCELLED, "r-7")
    assert signum.name in result.reason
    assert result.environment["python"]
    assert not runs(pid)
    assert all((bench.out / name).is_file() for name in ARTIFACT_NAMES)


def test_a_cancel_of_a_stubborn_training(bench: Bench) -> None:
    process = bench.start(STUBBORN)
    pids = [bench.pid(name) for name in ("main", "child", "grandchild")]
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert bench.result().status is Status.CANCELLED
    assert not any(map(runs, pids))


def test_what_the_training_leaves_behind_is_ended(bench: Bench) -> None:
    bench.train(STUBBORN.replace('time.sleep(600)\n"""', "").removesuffix("time.sleep(600)\n") + "time.sleep(0.3)")
    assert bench.result().status is Status.OK
    assert not any(runs(bench.pid(name)) for name in ("main", "child", "grandchild"))


def test_a_killed_runner_takes_the_training_with_it(bench: Bench) -> None:
    process = bench.start(PIDS + "import time\ntell('main')\ntime.sleep(600)")
    pid = bench.pid("main")
    process.kill()
    process.communicate(timeout=30)
    wait_for(lambda: "" if runs(pid) else "gone")
    assert bench.result().status is Status.RUNNING


def test_a_runner_whose_parent_died_cancels(bench: Bench) -> None:
    (bench.folder / "train.py").write_text(PIDS + "import time\ntell('main')\ntime.sleep(600)")
    program = f"import subprocess, time; subprocess.Popen({bench.command(seconds=20)!r}); time.sleep(600)"
    parent = subprocess.Popen([sys.executable, "-c", program], env=dict(os.environ) | {"PYTHONPATH": str(CHECKOUT)})
    pid = bench.pid("main")
    parent.kill()
    parent.wait()
    wait_for(lambda: "" if bench.result().status is Status.RUNNING else "done")
    assert bench.result().status is Status.CANCELLED
    assert not runs(pid)


def test_the_environment_is_scrubbed(bench: Bench) -> None:
    secrets = {"GITHUB_TOKEN": "x", "GITHUB_ENV": "/tmp/x", "OPENAI_API_KEY": "x", "HF_TOKEN": "x", "MY_PASSWORD": "x"}
    script = "import json, os; print(json.dumps(dict(os.environ)))"
    bench.train(script, environment=secrets | {"CUDA_VISIBLE_DEVICES": "0"})
    seen = json.loads(bench.log())
    assert not set(secrets) & set(seen)
    assert seen["CUDA_VISIBLE_DEVICES"] == "0"


def test_a_runner_in_the_branch_is_not_imported(bench: Bench) -> None:
    for folder in (bench.folder, bench.folder.parents[1]):
        (folder / "runner").mkdir()
        (folder / "runner" / "__init__.py").write_text("raise SystemExit('the wrong runner')")
    (bench.folder / "prepare.py").write_text("number = 42")
    (bench.folder / "data.txt").write_text("data")
    script = "import runner, prepare, os; print(runner.__version__, prepare.number, open('data.txt').read())"
    bench.train(script + "; os.system('python -c 0')")
    assert bench.log() == f"{runner.__version__} 42 data\n"


def test_no_output_of_the_training_starts_a_line(bench: Bench) -> None:
    output = bench.train("print('::error::x'); raise SystemError('first\\n::set-output name=x::y\\n##[group]z')")
    assert all(line.startswith("trainwright: ") for line in output.splitlines())
    assert "##[" not in output


def test_a_secret_is_nowhere(bench: Bench) -> None:
    token = "ghp_" + "a1B2" * 9
    output = bench.train(f"print('token {token}'); raise ValueError('{token}')")
    assert token not in output + bench.log() + "".join((bench.out / name).read_text() for name in ARTIFACT_NAMES[:3])
    assert "[redacted ghp]" in bench.result().reason


def test_a_flood_is_read_to_its_end(bench: Bench) -> None:
    bench.train("for n in range(20_000): print(n, 'x' * 200)")
    assert bench.log().count("\n") == 20_000
    assert "20,000 lines" in (bench.out / "digest.md").read_text()


def test_a_broken_metrics_file_does_not_matter(bench: Bench) -> None:
    bench.train(
        METRICS + "log(step=1, seconds=1, loss=2)\nmetrics.write('{\"step\": 2, ' + 'x' * 100_000)\nmetrics.flush()"
    )
    assert bench.result().status is Status.OK
    assert len(read_metrics((bench.out / "metrics.jsonl").read_text())) == 1
