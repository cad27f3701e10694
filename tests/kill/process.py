"""The bot as a process of its own: `trainwright serve`, as in production, which can be killed and started again.

Its processes are forked from a server that has everything imported: one is there within 50 ms instead of 3 s.
"""

import functools
import multiprocessing
import os
import sys
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

from bot.cli import main
from runner import tree

HEAVY = ["tests.kill.process", "tests.kill.warm", "bot.models.openai"]


class BotProcess:
    """`environment` is all that it is told; what it says goes to the log."""

    def __init__(self, environment: Mapping[str, str], *, log: Path) -> None:
        self._environment = dict(environment)
        self._log = log
        self._process: BaseProcess | None = None

    def start(self) -> None:
        self._process = _forks().Process(target=_serve, args=(self._environment, self._log), daemon=True)
        self._process.start()

    def kill(self) -> None:
        """By SIGKILL; returns when it is gone."""
        process, self._process = self._process, None
        if process:
            process.kill()
            process.join()

    @property
    def pid(self) -> int:
        assert self._process
        assert self._process.pid
        return self._process.pid

    def said(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]

    @property
    def died(self) -> bool:
        """By itself, which it should not."""
        process = self._process
        return process is not None and process.exitcode is not None


@functools.cache
def _forks() -> ForkServerContext:
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(HEAVY)
    return forks


def _serve(environment: Mapping[str, str], log: Path) -> None:
    tree.die_with(os.getppid())  # the tests may be killed, too
    with log.open("ab") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    os.environ.update(environment)
    main(["--verbose", "serve"], standalone_mode=False)
