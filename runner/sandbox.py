"""What a training gets to see.

Level `none`, the only one so far, covers environment variables (an allow-list; nothing named like a token, key or
secret; no `GITHUB_*`), file descriptors (none but its output), standard input (empty), and where `runner` comes from.
It does not cover files (those of the runner's user can be read and written, the token files of other programs in HOME
among them), the network, other processes of the same user, memory, disk space.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path


class Sandbox(StrEnum):
    NONE = "none"


_ALLOWED = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|LD_LIBRARY_PATH|VIRTUAL_ENV|CONDA_PREFIX|XDG_CACHE_HOME|HF_HOME"
    r"|HF_HUB_CACHE|HF_DATASETS_CACHE|HF_HUB_OFFLINE|SSL_CERT_(FILE|DIR)"
    r"|RUNNER_TRACKING_ID"  # by which GitHub's runner ends what is left when the supervisor itself was killed
    r"|(CUDA|CUBLAS|CUDNN|NVIDIA|NCCL|HIP|ROCR|TORCH|TORCHINDUCTOR|PYTORCH|TRITON|OMP|MKL|KMP|OPENBLAS|NUMEXPR|GOMP)_[A-Z0-9_]+"
)
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|AUTH|PRIVATE|_KEY|KEY_|APIKEY")


def environment(
    inherited: Mapping[str, str], *, importable: Path, folder: Path, out: Path, seconds: float
) -> dict[str, str]:
    """The variables of a training. `importable` is a folder that holds the installed `runner` and nothing else.

    It comes first on PYTHONPATH, hence before a `runner` of the experiment's folder; the folder follows, as it would be
    first for a plain `python train.py`.
    """
    allowed = {
        name: value for name, value in inherited.items() if _ALLOWED.fullmatch(name) and not _SECRET.search(name)
    }
    others = [entry for entry in inherited.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(entry)]
    # Threads that wait for each other by spinning bring a CPU training to a standstill (57 → 2 steps a second on two
    # cores) as soon as anything else runs on the machine. Whoever has the machine alone may set it to `active`.
    return (
        {"OMP_WAIT_POLICY": "passive"}
        | allowed
        | {
            "PYTHONPATH": os.pathsep.join([str(importable), str(folder), *others]),
            "PYTHONUNBUFFERED": "1",  # or stdout would come later than stderr
            "PYTHONFAULTHANDLER": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONIOENCODING": "utf-8:backslashreplace",
            "TRAINWRIGHT_OUT": str(out),
            "TRAINWRIGHT_SECONDS": f"{seconds:g}",
        }
    )
