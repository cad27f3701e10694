"""Facts about the machine: Python, torch, GPU, cores, memory.

torch is never imported here: that takes seconds, and CUDA memory for as long as the supervisor lives.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

from runner.result import MAX_WORD, tidy

_SMI_SECONDS = 10
_SMI = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits")


def probe() -> dict[str, str]:
    """The facts that are known, by name; what is not there is not named, but for the GPU."""
    facts = {
        "python": platform.python_version(),
        "torch": _version("torch"),
        "numpy": _version("numpy"),
        "cuda": _cuda(),
        "platform": platform.platform(),
        "cores": str(_cores()),
        "ram_gb": _ram_gb(),
        **_gpus(),
    }
    return {name: tidy(value, limit=MAX_WORD) for name, value in facts.items() if value}


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _cuda() -> str:
    """The CUDA that torch was built for, read from its version.py as text."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return ""
    try:
        text = Path(spec.origin).with_name("version.py").read_text()
    except OSError:
        return ""
    found = re.search(r"^cuda\b[^=\n]*=\s*['\"]([^'\"]+)", text, re.MULTILINE)
    return found[1] if found else "none"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _ram_gb() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f}"
    except (ValueError, OSError):
        return ""


def _gpus() -> dict[str, str]:
    smi = shutil.which("nvidia-smi")
    if smi is None:
        return {"gpu": "none"}
    try:
        answer = subprocess.run([smi, *_SMI], capture_output=True, text=True, timeout=_SMI_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return {"gpu": "nvidia-smi does not answer"}
    rows = [row for line in answer.stdout.splitlines() if len(row := [cell.strip() for cell in line.split(",")]) == 3]
    if not rows:
        return {"gpu": "none"}
    gpus = ", ".join(f"{name} ({megabytes} MiB)" for name, megabytes, _ in rows)
    return {"gpu": gpus, "driver": rows[0][2]}
