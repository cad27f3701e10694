"""The files that travel with the bot: prompts, the training workflow, the issue form.

In a checkout they lie where people look for them, at the top of the repository; a wheel carries them beside the code.
"""

from pathlib import Path

_PACKAGED = Path(__file__).parent / "_shipped"
_CHECKOUT = Path(__file__).parent.parent

WORKFLOW = ".github/workflows/train.yml"
ISSUE_FORM = ".github/ISSUE_TEMPLATE/experiment.yml"


def path(name: str) -> Path:
    packaged = _PACKAGED / name
    return packaged if packaged.exists() else _CHECKOUT / name
