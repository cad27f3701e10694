"""Small words and signs of the pages: filters for the templates, titles and next steps of refusals."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from zlib import crc32

from bot.local.refusals import Refusal
from bot.local.rows import CheckRun, Label, WorkflowRun

HUES = 12

_TITLES = {
    401: "Who are you?",
    403: "You may not do this",
    404: "Nothing here",
    405: "This cannot be merged",
    409: "Somebody was faster",
    410: "It is gone",
    422: "This cannot be done as asked",
}
_STEPS = {
    403: "You act as {me}. Choose a user with more rights at the top of the page, or ask the owner for them.",
    404: "The address may be mistyped, or the branch, file or page was removed. Start again from a repository:",
    405: "Usually the branch conflicts with main. The pull request says more; it can always be closed without merging.",
    409: "Go back, reload the page, look at what is new, and try again.",
    410: "What was deleted does not come back. What expired can be made anew: Re-run the workflow.",
    422: "Go back, correct what the message says, and send it again. The text that you typed is still there.",
}


def title_of(status: int) -> str:
    return _TITLES.get(status, "This did not work")


def next_step(refusal: Refusal, *, me: str) -> str:
    return _STEPS.get(refusal.status, "Go back and try again.").format(me=me)


def hue(text: str) -> int:
    """The same colour for the same login, everywhere. A class, because our policy forbids inline styles."""
    return crc32(text.encode()) % HUES


def label_hue(label: Label) -> str:
    """The nearest of our hues to a label's own colour, which then works in the light and in the dark."""
    red, green, blue = (int(label.color[index : index + 2], 16) / 255 for index in (0, 2, 4))
    top, bottom = max(red, green, blue), min(red, green, blue)
    if top - bottom < 0.08:
        return "grey"
    if top == red:
        sixth = (green - blue) / (top - bottom) % 6
    elif top == green:
        sixth = (blue - red) / (top - bottom) + 2
    else:
        sixth = (red - green) / (top - bottom) + 4
    return str(round(sixth / 6 * HUES) % HUES)


def moment(time: datetime) -> str:
    return time.strftime("%-d %b %Y, %H:%M UTC")


def iso(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def span(time: timedelta) -> str:
    seconds = int(time.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def size(count: int) -> str:
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"


def sign(outcome: CheckRun | WorkflowRun) -> str:
    """The icon's name, which is its CSS class too."""
    if outcome.status == "queued":
        return "waiting"
    if outcome.status != "completed":
        return "running"
    return {"success": "success", "failure": "failure", "timed_out": "failure", "action_required": "failure"}.get(
        outcome.conclusion or "", "neutral"
    )


def outcome_words(outcome: CheckRun | WorkflowRun) -> str:
    return (outcome.conclusion or outcome.status).replace("_", " ")


def subject(message: str) -> str:
    return message.split("\n", 1)[0]


def short_shas(text: str) -> str:
    """The names of workflow runs hold whole shas, for the bot to find them by."""
    return re.sub(r"\b([0-9a-f]{7})[0-9a-f]{33}\b", r"\1", text)


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


FILTERS: dict[str, Callable[..., object]] = {
    "hue": hue,
    "label_hue": label_hue,
    "moment": moment,
    "iso": iso,
    "span": span,
    "size": size,
    "sign": sign,
    "outcome": outcome_words,
    "subject": subject,
    "plural": plural,
    "short": lambda sha: sha[:7],
    "short_shas": short_shas,
}
