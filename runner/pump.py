"""Reads a training's output as fast as it comes: without its secrets into the log and the condenser, in flat memory."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import zstandard

from runner.condense import Condenser
from runner.redact import Redactor
from runner.result import ARTIFACT_SIZES

_CHUNK = 256 * 1024
_PIPE = 1024 * 1024  # bytes that the kernel holds for us while we are busy
_LOG_END = ARTIFACT_SIZES["log.zst"] - 2 * _CHUNK
_F_SETPIPE_SZ = 1031


class Log:
    """The whole output, compressed. When the disk or the limit is full it ends, and says so."""

    def __init__(self, path: Path) -> None:
        self.complaint = ""
        self._file: BinaryIO = path.open("wb")
        self._zstd = zstandard.ZstdCompressor(level=3).compressobj()

    def write(self, data: bytes) -> None:
        if self.complaint:
            return
        try:
            self._file.write(self._zstd.compress(data))
            if self._file.tell() > _LOG_END:
                self._file.write(self._zstd.compress(b"\n[trainwright: the log is cut here]\n"))
                self.complaint = f"The log was cut at {_LOG_END:,} compressed bytes."
        except OSError as error:
            self.complaint = f"The log is not complete: {error.strerror}."

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._file.write(self._zstd.flush())
        with contextlib.suppress(OSError):
            self._file.close()


class Pump(threading.Thread):
    """Runs until the last writer of the pipe has closed it, or is silent after `stop`."""

    def __init__(self, pipe: int, *, log: Log, condenser: Condenser) -> None:
        super().__init__(name="pump", daemon=True)
        self._pipe = pipe
        self._log = log
        self._condenser = condenser
        self._redactor = Redactor()
        self._stopped = threading.Event()
        self._complaint = ""
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE)

    def run(self) -> None:
        try:
            self._read(self._take)
            self._hand_on(self._redactor.finish())
        except Exception as error:  # whatever it is, a full pipe would stop the training
            self._complaint = f"The log was not read to its end: {type(error).__name__}: {error}."
            self._read(lambda _: None)

    def stop(self, *, patience: float) -> str:
        """Wait for the output to end, but not for a stranger who holds the pipe. Say what went wrong, if anything."""
        self.join(patience)
        self._stopped.set()
        self.join()
        return self._complaint

    def _read(self, take: Callable[[bytes], None]) -> None:
        ready = select.poll()
        ready.register(self._pipe, select.POLLIN)
        while True:
            if ready.poll(200):
                data = os.read(self._pipe, _CHUNK)
                if not data:
                    return
                take(data)
            elif self._stopped.is_set():
                return

    def _take(self, data: bytes) -> None:
        self._hand_on(self._redactor.feed(data))

    def _hand_on(self, data: bytes) -> None:
        self._log.write(data)
        self._condenser.feed(data)
