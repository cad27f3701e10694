"""The supervisor of a training is killed, or the training itself: only time is lost, and nothing stays behind."""

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kill.account import Account, assert_equal
from tests.kill.conftest import Teller
from tests.kill.tale import REPLIES, Tale
from tests.story import TRAIN, code, repair

SUPERVISOR, TRAINING, HELPER = b"\0runner\0train\0", b"\0-P\0train.py\0", b"time.sleep(60)"
SECONDS = re.compile(r'(?<="seconds": )[0-9.]+|\b[0-9.]+(?= s\b)')
"""What trainings took, which differs from one to the next."""
TRAINED_AGAIN = re.compile(r"^(- Train #2 .*)\.1: failure, attempt 1\n\1\.2: ", re.MULTILINE)

HELPED = """
import subprocess
import sys
import time

subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"])
time.sleep(1)
"""
"""A second, and a process of its own as a loader of data has it."""
SLOW = TRAIN.format(loss=2.0).replace("\nLOSS", f"{HELPED}\nLOSS")
SCRIPT = {**REPLIES, "the code of run 1": code(SLOW), "mend the code of run 1": repair(f"{SLOW}\n# Mended.\n")}


def at(*moments: tuple[bytes, float]) -> pytest.MarkDecorator:
    """So many seconds after such a process has begun. The first moment is in the default suite."""
    others = [pytest.param(*moment, marks=pytest.mark.kill) for moment in moments[1:]]
    return pytest.mark.parametrize(("once", "after"), [moments[0], *others])


@at((HELPER, 0.2), *((SUPERVISOR, n / 20) for n in range(8)), *((HELPER, n / 10) for n in range(14)))
def test_without_its_supervisor_a_training_is_lost_and_repeated(
    once: bytes, after: float, clean_run: Account, teller: Teller, tmp_path: Path
) -> None:
    killed = told(teller, tmp_path / "lab", one_run(SUPERVISOR, once=once, after=after))
    text = TRAINED_AGAIN.sub(r"\1.1: ", killed.text).replace(": failure, attempt 1", ": success, attempt 1")
    assert_equal(clean_run, replace(killed, text=text))


@at((HELPER, 0.2), (TRAINING, 0), *((HELPER, n / 10) for n in range(9)))
def test_a_training_that_was_killed_is_mended(
    once: bytes, after: float, mended_run: Account, teller: Teller, tmp_path: Path
) -> None:
    assert mended_run.text.count("### 🔧 The training broke; mended") == 1
    assert "most likely the host was out of memory" in mended_run.text
    assert_equal(mended_run, told(teller, tmp_path / "lab", one_run(TRAINING, once=once, after=after)))


@pytest.fixture(scope="session")
def clean_run(teller: Teller, tmp_path_factory: pytest.TempPathFactory) -> Account:
    return told(teller, tmp_path_factory.mktemp("clean-run"), one_run())


@pytest.fixture(scope="session")
def mended_run(teller: Teller, tmp_path_factory: pytest.TempPathFactory) -> Account:
    return told(teller, tmp_path_factory.mktemp("mended-run"), one_run(TRAINING, once=HELPER))


def told(teller: Teller, folder: Path, story: Callable[[Tale], None]) -> Account:
    tale = Tale(folder, script=SCRIPT.__getitem__, runs=1, real=True)
    try:
        account = teller.tell(tale, story)
    finally:
        kill(processes(tale))
    return replace(account, text=SECONDS.sub("…", account.text))


def one_run(victim: bytes = b"", *, once: bytes = b"", after: float = 0) -> Callable[[Tale], None]:
    """The process with these words is killed, so many seconds after one with those has begun."""

    def story(tale: Tale) -> None:
        tale.begin()
        if victim:
            tale.wait("the moment", lambda: processes(tale, once))
            time.sleep(after)
            kill(processes(tale, victim))
        tale.concluded("1")
        tale.rest()
        assert processes(tale) == []

    return story


def processes(tale: Tale, words: bytes = b"") -> list[int]:
    """Of the tale's jobs, with these words on their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            environment, command = ((entry / name).read_bytes() for name in ("environ", "cmdline"))
            if os.fsencode(tale.folder) in environment and words in command:
                found.append(int(entry.name))
    return found


def kill(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
