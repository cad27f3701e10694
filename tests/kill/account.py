"""The whole account of a lab at the end of a story, as a text in which two stories can be compared.

What differs between two stories of the same content (commits, ids, addresses) is replaced by a name, given in the order
of appearance. Everything else stays, inputs and the bytes of plots among it.
"""

import difflib
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bot.ledger import Booked, Ledger, State
from bot.local.rows import Artifact, CheckRun, Comment, Row, TimelineEvent, WorkflowRun
from tests.kill.knife import Request
from tests.kill.tale import Tale
from tests.story import LAB

KINDS: tuple[type[Row], ...] = (Comment, WorkflowRun, TimelineEvent, CheckRun, Artifact)
FINGERPRINT = re.compile(r"(?<=trainwright body )[0-9a-f]{16}")
"""Of a body that has addresses in it."""
NAMED = re.compile(r"\b([0-9a-f]{40}|[0-9a-f]{7}|[0-9]{4,})\b")


@dataclass(frozen=True)
class Account:
    """`text` is what is to be equal; `calls` counts the ledger's by state, `asked` and `answered` are the model's."""

    text: str
    calls: Counter[State]
    asked: int
    answered: int
    requests: tuple[Request, ...]


def account_of(tale: Tale) -> Account:
    """The bot has to be dead: the ledger is one process's."""
    ledger = Ledger(tale.database)
    try:
        calls = ledger.calls(LAB, 1)
        lines = [*_main(tale), *_issue(tale), *_pulls(tale), *_runs(tale), *_calls(ledger, calls)]
    finally:
        ledger.close()
    return Account(
        text=_Names(tale).given("\n".join(lines)),
        calls=Counter(call.state for call in calls),
        asked=len(tale.model.asked),
        answered=len(tale.model.answered),
        requests=tuple(tale.knife.requests),
    )


def assert_equal(clean: Account, killed: Account) -> None:
    """The same story; and at most one call, the one that was cut off, is paid once more."""
    lines = difflib.unified_diff(clean.text.splitlines(), killed.text.splitlines(), "clean", "killed", lineterm="")
    difference = "\n".join(lines)
    assert not difference, difference
    lost = killed.calls[State.LOST]
    assert lost <= 1
    assert killed.calls == {State.ANSWERED: clean.answered} | ({State.LOST: lost} if lost else {})
    assert clean.answered <= killed.asked <= clean.answered + lost


def _main(tale: Tale) -> Iterator[str]:
    yield "# main"
    yield from _git(tale, "log", "--first-parent", "--reverse", "--format=- %s (%an)", "main")
    yield from _files(tale, "main")


def _files(tale: Tale, commit: str) -> Iterator[str]:
    git = tale.github.hub.repos.git(tale.repository)
    for entry in git.tree(commit, recursive=True) or ():
        yield f"## {entry.path}"
        yield entry.sha if entry.path.endswith(".png") else (git.blob(entry.sha) or b"").decode()


def _issue(tale: Tale) -> Iterator[str]:
    issue = tale.ada.issue(1)
    yield f"# Issue {issue['title']}: {issue['state']}, {issue['state_reason']}"
    yield f"labels: {sorted(label['name'] for label in issue['labels'])}"
    yield f"reactions: {sorted((name, n) for name, n in issue['reactions'].items() if name != 'url' and n)}"
    yield from _thread(tale, 1)


def _thread(tale: Tale, number: int) -> Iterator[str]:
    for event in tale.ada.timeline(number):
        if event["event"] != "commented":
            yield f"- {event['event']} {event.get('label', {}).get('name', '')} ({event['actor']['login']})"
    for comment in tale.ada.comments(number):
        yield f"## Comment of {comment['user']['login']}"
        yield comment["body"]


def _pulls(tale: Tale) -> Iterator[str]:
    for pull in tale.ada.pulls(state="all"):
        yield f"# Pull request #{pull['number']} {pull['title']}"
        yield f"{pull['head']['ref']}: {pull['state']}, {'merged' if pull['merged_at'] else 'not merged'}"
        yield pull["body"]
        yield from _thread(tale, pull["number"])
        yield from _commits(tale, pull)
        yield from _files(tale, pull["head"]["sha"])


def _commits(tale: Tale, pull: dict[str, Any]) -> Iterator[str]:
    span = f"{pull['base']['sha']}..{pull['head']['sha']}"
    for line in _git(tale, "log", "--reverse", "--format=> %H %an: %s", "--name-status", span):
        yield line
        if line.startswith("> "):
            for check in tale.ada.checks(line.split()[1]):
                words = (check[key] for key in ("name", "external_id", "status", "conclusion"))
                yield f"check: {', '.join(map(str, words))}: {check['output']['title']}"


def _runs(tale: Tale) -> Iterator[str]:
    yield "# Workflow runs"
    for run in reversed(tale.ada.runs()):
        yield f"- {run['display_title']}: {run['conclusion']}, attempt {run['run_attempt']}"


def _calls(ledger: Ledger, calls: tuple[Booked, ...]) -> Iterator[str]:
    for call in calls:
        answered = ledger.stored(call.slot) if call.state is State.ANSWERED else None
        if answered:
            yield f"# Call {call.slot}: {answered.reply.model}, {answered.reply.usage}"
            yield answered.prompt.system
            yield answered.prompt.user
            yield answered.reply.text


def _git(tale: Tale, *arguments: str) -> list[str]:
    folder = tale.github.hub.repos.path(tale.repository)
    return subprocess.run(
        ["git", "-C", folder, *arguments], capture_output=True, text=True, check=True
    ).stdout.splitlines()


class _Names:
    """Of everything that GitHub numbers, and of commits, which hold the time."""

    def __init__(self, tale: Tale) -> None:
        self._folder = str(tale.folder)
        self._url = re.compile(rf"{re.escape(tale.github.url)}\b")
        self._kinds = {str(row.id): kind.__name__ for kind in KINDS for row in tale.github.store.all(kind)}
        objects = _git(tale, "cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)")
        commits = [line.split()[0] for line in objects if line.endswith(" commit")]
        self._kinds |= {name: "commit" for sha in commits for name in (sha, sha[:7])}
        self._names: dict[str, str] = {}
        self._count: Counter[str] = Counter()

    def given(self, text: str) -> str:
        text = FINGERPRINT.sub("…", self._url.sub("http://github", text).replace(self._folder, "/folder"))
        return NAMED.sub(lambda match: self._name(match[0]), text)

    def _name(self, word: str) -> str:
        kind = self._kinds.get(word)
        if kind is None:
            return word
        key = word[:7] if kind == "commit" else word
        if key not in self._names:
            self._count[kind] += 1
            self._names[key] = f"<{kind} {self._count[kind]}>"
        return self._names[key]
