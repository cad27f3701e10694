"""Whole experiments of baseline on made-up trainings: the prompts are the bot's own, and so are the readers."""

import math
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import pytest

from bot import prompts
from bot.documents import change_tasks, render_plan, render_tasks
from bot.errors import Declined
from bot.folder import CODE, PLAN, TASKS, Folder
from bot.models.baseline import Baseline
from bot.models.baseline.script import changes, literal, settings, template, with_settings
from bot.models.model import Prompt
from bot.prompts import CodeReply, Context
from bot.records import (
    Analysis,
    Attempt,
    Conclusion,
    Curve,
    Discarded,
    Failure,
    Metric,
    Next,
    Outcome,
    Recommendation,
    Record,
    Verdict,
    best,
    judge,
)

TITLE = "How low can bits per byte go in a short training?"
IDEA = """### Idea

Train a byte-level language model on the Python standard library's own source, which every Python has. How low can
bits per byte on held-out files go in one short training on this machine? Find out which choices of architecture and
training matter most at this budget.

### Primary metric

`val_bpb` (bits per byte on held-out files), lower is better

### Budget

_No response_
"""
BPB = Metric(name="val_bpb", direction="lower")
Settings = Mapping[str, object]
DIGEST = """# Digest

## Metrics

| metric | first | 25 % | 50 % | 75 % | last | lowest | highest | values |
|---|---|---|---|---|---|---|---|---|
| val_bpb | 2.25 @ 11 |  |  |  | 2.25 @ 11 | 2.25 @ 11 | 2.25 @ 11 | 1 |
| loss | 7.87 @ 1 | 3.1 | 2.6 | 2.4 | 2.2 @ 800 | 2.1 @ 790 | 7.87 @ 1 | 20 |

## Warnings

```text
2 × UserWarning: slow
```
"""


@dataclass
class World:
    """A lab without GitHub and trainings without a computer: `train` tells what settings give."""

    train: Callable[[Settings], float | str]
    merges: Callable[[Record], bool] = lambda record: record.value is not None and record.conclusion is not None and (
        record.conclusion.verdict is Verdict.IMPROVED
    )
    seconds: int = 20
    texts: dict[str, str] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    asked: list[Prompt] = field(default_factory=list)
    analyses: list[Analysis] = field(default_factory=list)

    def context(self) -> Context:
        return Context(1, TITLE, IDEA, self.seconds, tuple(self.records), Folder("c0", "experiments/1", {}, self.texts))

    def ask(self, prompt: Prompt) -> str:
        self.asked.append(prompt)
        return Baseline().ask(prompt).text

    def plan(self) -> None:
        told = prompts.read_plan(self.ask(prompts.plan(self.context())))
        assert told.metric == BPB
        self.texts |= {PLAN: render_plan(told.plan, told.metric), TASKS: render_tasks([(t, False) for t in told.tasks])}

    def code(self, feedback: str = "") -> CodeReply:
        last = self.records[-1] if self.records else None
        merged = [record.run for record in self.records if not record.discarded]
        prompt = prompts.code(
            self.context(),
            run=str(len(self.records) + 1),
            metric=BPB,
            last=last,
            code_run=merged[-1] if merged else None,
            feedback=feedback,
        )
        return prompts.read_code(self.ask(prompt))

    def run(self) -> Record:
        """One run, from its code to its review."""
        told = self.code()
        attempt = self.attempt(told.code)
        record = Record(
            experiment=1,
            run=str(len(self.records) + 1),
            inputs="i",
            metric=BPB,
            proposal=told.proposal,
            pull=len(self.records) + 2,
            attempts=(attempt,),
        )
        record = self.concluded(record, attempt, told.code)
        self.texts[TASKS] = change_tasks(self.texts[TASKS], record)
        if self.merges(record):
            self.texts[CODE] = told.code
        else:
            record = record.model_copy(update={"discarded": Discarded(reason="closed")})
        self.records.append(record)
        return record

    def attempt(self, code: str) -> Attempt:
        names = {name: literal(value) for name, value in settings(code).items()}
        result = self.train(names)
        known = {"train_bpb": 2.0, "bigram_bpb": 3.53, "trigram_bpb": 2.65, "steps": 800.0, "steps_per_second": 45.0}
        ok = not isinstance(result, str)
        return Attempt(
            workflow_run=len(self.records) + 1,
            run_attempt=1,
            inputs="i",
            status="ok" if ok else str(result),
            reason="The training ended by itself after 22 s." if ok else "It broke.",
            seconds=22.0,
            metrics={"val_bpb": float(result), **known} if not isinstance(result, str) else {},
            environment={"cores": "2", "torch": "2.13.0"},
        )

    def concluded(self, record: Record, attempt: Attempt, code: str) -> Record:
        leader = best(self.records, BPB)
        value = attempt.metrics.get("val_bpb")
        before = leader.value if leader else None
        outcome = Outcome(
            attempt=attempt.key,
            verdict=judge(value, best_before=before, metric=BPB),
            value=value,
            best_before=before,
            curves=(Curve(name="loss", points=((1.0, 7.9), (200.0, 3.0), (400.0, 2.6), (600.0, 2.4), (800.0, 2.2))),),
        )
        summary = prompts.read_summary(self.ask(prompts.summarize(record=record, attempt=attempt, digest=DIGEST)))
        prompt = prompts.analyze(
            self.context(), record=record, outcome=outcome, summary=summary, source=code, runs_left=10 - len(self.records)
        )
        analysis = prompts.read_analysis(self.ask(prompt))
        self.analyses.append(analysis)
        conclusion = Conclusion(**dict(outcome), summary=summary, analysis=analysis)
        return record.model_copy(update={"conclusion": conclusion})

    def experiment(self, runs: int) -> list[Record]:
        self.plan()
        for _ in range(runs):
            record = self.run()
            assert record.conclusion is not None
            if record.conclusion.analysis.next in (Next.COMPLETE, Next.BLOCKED):
                break
        return self.records


def bowl(names: Settings) -> float:
    """Smooth, with its bottom away from the default: what a search should find."""
    size = {"LEARNING_RATE": 1e-2, "WIDTH": 96.0, "BATCH": 8.0, "DEPTH": 2.0}
    value = 1.9 + 0.02 * abs(len(names["NGRAMS"]) - 3)  # type: ignore[arg-type]
    return value + sum(0.03 * abs(math.log2(float(names[name]) / best)) for name, best in size.items())  # type: ignore[arg-type]
