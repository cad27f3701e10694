"""Experiments as values: each builder gives the usual case, and takes what is different about it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from bot.commands import Command
from bot.experiment import EXPERIMENT, Artifact, Asked, Authority, Experiment, Pull, Run, Training
from bot.folder import CODE, LOG, PLAN, TASKS, Entry, Folder, blob_sha
from bot.lab import LabConfig
from bot.records import (
    Analysis,
    Attempt,
    Conclusion,
    Metric,
    Next,
    Proposal,
    Recommendation,
    Record,
    Verdict,
)  # fmt: skip
from runner.result import Failure, Result, Status

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=300)
METRIC = Metric(name="loss", direction="lower")
SOURCE = "print('loss', 2.0)\n"
PLAN_TEXT = "# Plan\n\nFit it.\n\n## Primary metric\n\n`loss`, lower is better.\n"


def folder(*records: Record, source: str = SOURCE, commit: str = "c" * 40) -> Folder:
    texts = {PLAN: PLAN_TEXT, TASKS: "# Tasks\n\n- [ ] Fit it\n", LOG: "# Log\n", CODE: source}
    entries = {name: Entry("100644", blob_sha(text.encode())) for name, text in texts.items()}
    return Folder(commit, "experiments/1-fit", entries, texts, records)


NOTHING = Folder("c" * 40, "experiments/1-fit")
"""Main before the first run is merged."""
INPUTS = folder().inputs


def proposal(**changes: Any) -> Proposal:
    return Proposal(
        **{"hypothesis": "It fits.", "change": "`LR`: 1 → 2.", "expected": "A lower loss.", "tasks": ("Fit it",)}
        | changes
    )


def attempt(**changes: Any) -> Attempt:
    usual = {
        "workflow_run": 71,
        "run_attempt": 1,
        "inputs": INPUTS,
        "status": "ok",
        "reason": "It ran to its end.",
        "seconds": 60.0,
        "metrics": {"loss": 2.0},
    }
    return Attempt.model_validate(usual | changes)


def analysis(**changes: Any) -> Analysis:
    usual = {
        "text": "The loss fell.",
        "findings": ("It fits.",),
        "recommendation": Recommendation.MERGE,
        "recommended_because": "it fits.",
        "next": Next.CONTINUE,
        "next_because": "there is more.",
    }
    return Analysis.model_validate(usual | changes)


def conclusion(**changes: Any) -> Conclusion:
    usual = {
        "attempt": "71.1",
        "verdict": Verdict.IMPROVED,
        "value": 2.0,
        "summary": "- It ran.",
        "analysis": analysis(),
    }
    return Conclusion.model_validate(usual | changes)


def record(run: str = "1", **changes: Any) -> Record:
    """Without a result."""
    usual = {"experiment": 1, "run": run, "inputs": INPUTS, "metric": METRIC, "proposal": proposal()}
    return Record.model_validate(usual | changes)


def result_of(run: str = "1", **changes: Any) -> Record:
    """With a result, `key` being that of its attempt."""
    number = 70 + int(run)
    usual = {
        "pull": 10 + int(run),
        "attempts": (attempt(workflow_run=number),),
        "conclusion": conclusion(attempt=f"{number}.1"),
    }
    return record(run, **(usual | changes))


def result(status: Status = Status.OK, **changes: Any) -> Result:
    usual: dict[str, Any] = {"runner": "0.1", "status": status, "reason": "It ended.", "seconds": 60.0}
    if status is Status.OK:
        usual["metrics"] = {"loss": 2.0}
    if status is Status.FAILED:
        usual["error"] = Failure("IndexError", "list index out of range", "train.py", 4)
    return Result(**(usual | changes))


MAIN_ONE = folder(result_of())
"""Main with run 1 merged."""


def artifact(status: Status = Status.OK, **changes: Any) -> Artifact:
    return Artifact(result(status, **changes), "# Digest\n")


def training(ordinal: int = 1, **changes: Any) -> Training:
    """Active, and started a minute ago."""
    usual: dict[str, Any] = {
        "id": 70 + ordinal,
        "attempt": 1,
        "inputs": INPUTS[:12],
        "sha": "a" * 40,
        "ordinal": ordinal,
        "status": "in_progress",
        "conclusion": None,
        "created": NOW - timedelta(minutes=1),
        "url": f"https://github.com/ada/lab/actions/runs/{70 + ordinal}",
    }
    return Training(**(usual | changes))


def ended(ordinal: int = 1, **changes: Any) -> Training:
    """Completed, and lost unless it is given an artifact."""
    return training(ordinal, **({"status": "completed", "conclusion": "success"} | changes))


def pull(number: int = 11, **changes: Any) -> Pull:
    usual: dict[str, Any] = {
        "number": number,
        "branch": f"experiment/1/run-{number - 10}",
        "head": f"{number:040x}",
        "open": True,
        "merged": False,
        "title": "Run",
        "body": "",
        "url": f"https://github.com/ada/lab/pull/{number}",
    }
    return Pull(**(usual | changes))


def merged(number: int = 11) -> Pull:
    return pull(number, open=False, merged=True, closed_at=NOW - timedelta(minutes=5))


def closed(number: int = 11) -> Pull:
    return pull(number, open=False, closed_at=NOW - timedelta(minutes=5))


def run(*trainings: Training, **changes: Any) -> Run:
    """Run 1, with an open pull request and no result."""
    usual: dict[str, Any] = {"id": "1", "folder": folder(record()), "pull": pull(), "trainings": trainings}
    return Run(**(usual | changes))


def concluded(*trainings: Training, **changes: Any) -> Run:
    return run(*trainings, **({"folder": folder(result_of())} | changes))


def report(**changes: Any) -> Run:
    return Run("report", folder(result_of()), pull(19, branch="experiment/1/report-2", **changes))


def experiment(*runs: Run, **changes: Any) -> Experiment:
    """Begun by ada, who may; `config` is a mapping as in a lab's trainwright.yml."""
    usual: dict[str, Any] = {
        "lab": "ada/lab",
        "number": 1,
        "title": "Fit it",
        "body": "Does it fit?",
        "author": "ada",
        "url": "https://github.com/ada/lab/issues/1",
        "open": True,
        "labels": frozenset({EXPERIMENT}),
        "authority": Authority("ada", True, 5),
        "main": NOTHING,
        "runs": runs,
        "cause": "event-5",
    }
    usual |= changes
    usual["config"] = LabConfig.model_validate(usual.get("config", {}))
    return Experiment(**usual)


def asked(name: str, guidance: str = "", *, comment: int = 3, **changes: Any) -> Asked:
    usual: dict[str, Any] = {"comment": comment, "ordinal": 0, "thread": 1, "login": "ada", "may": True}
    return Asked(**(usual | {"command": Command(name, guidance)} | changes))
