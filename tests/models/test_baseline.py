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
from bot.errors import Declined, ReplyError
from bot.folder import CODE, PLAN, TASKS, Folder
from bot.models.baseline import Baseline
from bot.models.baseline.script import changes, literal, settings, template, with_settings
from bot.models.model import Prompt, Usage
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
    merges: Callable[[Record], bool] = lambda record: (
        record.value is not None and record.conclusion is not None and (record.conclusion.verdict is Verdict.IMPROVED)
    )
    seconds: int = 20
    steps: float = 800.0
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
        known = {
            "train_bpb": 2.0,
            "bigram_bpb": 3.53,
            "trigram_bpb": 2.65,
            "steps": self.steps,
            "steps_per_second": 45.0,
        }
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
            self.context(),
            record=record,
            outcome=outcome,
            summary=summary,
            source=code,
            runs_left=10 - len(self.records),
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


def default(name: str) -> float:
    return float(settings(template())[name])


def bowl(names: Settings) -> float:
    """Smooth, with its bottom away from the default: what a search should find."""
    bottom = {"LEARNING_RATE": 2 * default("LEARNING_RATE"), "BATCH": 4 * default("BATCH"), "DEPTH": default("DEPTH")}
    value = 1.9 + 0.06 * abs(orders(names) - 3)
    return value + sum(0.03 * abs(math.log2(float(str(names[name])) / best)) for name, best in bottom.items())


def orders(names: Settings) -> int:
    found = names["NGRAMS"]
    assert isinstance(found, tuple)
    return len(found)


def steps_of(records: list[Record]) -> list[tuple[str, str]]:
    return [(change.name, change.new) for record in records for change in changes(record.proposal.change)]


# The whole way


def test_the_first_run_is_the_template_as_it_is_shipped() -> None:
    world = World(bowl)
    world.plan()
    told = world.code()
    assert told.code.strip() == template().strip()
    assert told.proposal.tasks == ("Measure the first version, and byte n-grams on the same held-out bytes",)


def test_it_finds_what_is_better_one_change_at_a_time() -> None:
    records = World(bowl).experiment(40)
    values = [record.value for record in records if record.value is not None]
    assert min(values) < values[0] - 0.1
    for record in records[1:]:
        assert len(changes(record.proposal.change)) == 1
    assert 10 < len(records) < 40


def test_four_runs_are_enough_to_be_clearly_better() -> None:
    records = World(bowl).experiment(4)
    values = [record.value or math.inf for record in records]
    assert min(values) < values[0] - 0.1
    assert values[1] < values[0]


def test_nothing_that_was_tried_is_tried_again() -> None:
    steps = steps_of(World(lambda names: 2.0).experiment(40))
    assert len(steps) > 5
    assert len(set(steps)) == len(steps)


def test_every_change_is_in_the_code_and_nothing_else_is() -> None:
    world = World(bowl)
    world.plan()
    for _ in range(6):
        before = settings(world.texts.get(CODE, template()))
        record = world.run()
        code = prompts.read_code(Baseline().ask(_last_code(world)).text).code
        differ = {name for name, value in settings(code).items() if before[name] != value}
        assert differ == {change.name for change in changes(record.proposal.change)}


def _last_code(world: World) -> Prompt:
    return next(prompt for prompt in reversed(world.asked) if "# Your task: the code of run" in prompt.user)


def test_a_gain_is_followed_the_same_way() -> None:
    world = World(lambda names: 2.0 - 0.1 * abs(math.log2(float(str(names["BATCH"])) / default("BATCH"))))
    world.experiment(1)
    world.texts[TASKS] = "- [ ] Find it (`BATCH`)\n"
    steps = steps_of([world.run(), world.run(), world.run()])
    octaves = [math.log2(float(new) / default("BATCH")) for _, new in steps]
    assert octaves in ([1, 2, 3], [-1, -2, -3])
    assert "half of what run 3 gained" in world.records[3].proposal.expected


def test_a_step_without_gain_is_answered_by_the_other_way() -> None:
    world = World(bowl)
    world.experiment(1)
    world.texts[TASKS] = "- [ ] Find the depth (`DEPTH`)\n"
    assert sorted(steps_of([world.run(), world.run()])) == [("DEPTH", "1"), ("DEPTH", "3")]
    assert "brought no gain in run 2, so the other way is tried" in world.records[-1].proposal.change


def test_it_ends_when_nothing_helps() -> None:
    world = World(lambda names: 2.0)
    world.experiment(40)
    last = world.analyses[-1]
    assert last.next is Next.COMPLETE
    assert "10 results" in last.next_because


def test_tasks_are_ticked_and_followed_up() -> None:
    world = World(bowl)
    world.experiment(2)
    tasks = world.texts[TASKS]
    assert "- [x] Give the model embeddings of the n-grams" in tasks
    assert re.search(r"- \[ \] (Take|Try) `NGRAMS` ", tasks)
    for record in world.records:
        for task in record.proposal.tasks:
            assert task in tasks


def test_the_recommendation_follows_the_verdict() -> None:
    for record in World(bowl).experiment(9):
        assert record.conclusion is not None
        improved = record.conclusion.verdict is Verdict.IMPROVED
        assert (record.conclusion.analysis.recommendation is Recommendation.MERGE) == improved


def test_an_analysis_has_no_number_that_its_prompt_lacks() -> None:
    world = World(bowl)
    world.experiment(8)
    for prompt in (p for p in world.asked if "# Your task: the analysis of run" in p.user):
        analysis = prompts.read_analysis(Baseline().ask(prompt).text)
        shown = {float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*\.?\d*", prompt.user)}
        differences = {round(abs(a - b), 4) for a in shown for b in shown}
        for number in re.findall(r"\d+\.\d{4}", " ".join([analysis.text, *analysis.findings])):
            assert float(number) in shown or min(abs(float(number) - d) for d in differences) < 2e-4, number


def test_the_numbers_of_the_summary_are_those_of_the_digest() -> None:
    world = World(bowl)
    world.experiment(1)
    conclusion = world.records[0].conclusion
    assert conclusion is not None
    assert (
        "- `loss`: 7.87 at step 1; 3.1, 2.6 and 2.4 at the quarters; 2.2 at step 800 at the end" in conclusion.summary
    )
    assert "`trigram_bpb` 2.6500" in conclusion.summary
    assert "`2 × UserWarning: slow`" in conclusion.summary


def test_steps_that_a_change_cannot_have_cost_are_the_machines() -> None:
    def speed(world: World, steps: float) -> str:
        world.steps = steps
        record = world.run()
        assert record.conclusion is not None
        return record.conclusion.analysis.text

    world = World(bowl)
    world.plan()
    speed(world, 800)
    assert "41 % fewer in the same budget, which is what the change costs" in speed(world, 470)
    world.texts[TASKS] = "- [ ] Find it (`LEARNING_RATE`)\n"
    assert "`LEARNING_RATE` cannot have done that: the machine was faster" in speed(world, 900)


# What goes wrong


def test_a_first_run_that_is_too_slow_is_made_cheaper_until_it_ends() -> None:
    world = World(lambda names: 2.0 if float(str(names["WIDTH"])) <= 32 else "timeout")
    world.experiment(4)
    widths = [new for name, new in steps_of(world.records) if name == "WIDTH"]
    assert widths[:2] == ["48", "32"]
    assert world.records[2].value == 2.0


def test_a_first_run_that_diverges_is_followed_by_a_lower_learning_rate() -> None:
    most = default("LEARNING_RATE") / 2
    world = World(lambda names: 2.0 if float(str(names["LEARNING_RATE"])) < most else "diverged")
    world.experiment(4)
    first, second = steps_of(world.records)[:2]
    assert float(second[1]) < float(first[1]) < default("LEARNING_RATE")
    assert (first[0], second[0]) == ("LEARNING_RATE", "LEARNING_RATE")
    assert 2.0 in [record.value for record in world.records]


def test_a_broken_run_that_was_merged_is_mended_as_well() -> None:
    most = default("BATCH")
    world = World(
        lambda names: 2.0 if float(str(names["BATCH"])) < most else "out-of-memory", merges=lambda record: True
    )
    world.experiment(2)
    assert steps_of(world.records) == [("BATCH", f"{most / 2:.0f}")]
    assert world.records[1].value == 2.0


def test_what_diverged_bars_what_lies_beyond_it() -> None:
    most = 1.1 * default("LEARNING_RATE")

    def train(names: Settings) -> float | str:
        rate = float(str(names["LEARNING_RATE"]))
        return "diverged" if rate > most else 2.0 - rate

    world = World(train)
    world.experiment(1)
    world.texts[TASKS] = "- [ ] Find it (`LEARNING_RATE`)\n"
    rates = [float(new) for _, new in steps_of([world.run(), world.run(), world.run()])]
    assert rates[0] > most
    assert all(rate < rates[0] for rate in rates[1:])
    assert any(rate > most for rate in rates[1:])


def test_code_that_never_works_is_blocked() -> None:
    world = World(lambda names: "failed")
    world.experiment(3)
    assert len(world.records) == 1
    assert world.analyses[0].next is Next.BLOCKED


def test_nothing_cheaper_is_left_at_some_point() -> None:
    world = World(lambda names: "timeout")
    world.experiment(40)
    assert 3 < len(world.records) < 20
    assert world.analyses[-1].next is Next.BLOCKED


def test_an_improvement_that_a_person_closed_is_not_proposed_again() -> None:
    world = World(bowl, merges=lambda record: record.run == "1")
    steps = steps_of(world.experiment(8))
    assert len(set(steps)) == len(steps) == 7


def test_when_the_first_version_was_closed_the_next_run_is_another() -> None:
    world = World(bowl, merges=lambda record: False)
    world.experiment(3)
    assert len(set(steps_of(world.records))) == 2


# What people change


def test_constants_of_a_person_are_kept() -> None:
    world = World(bowl)
    world.experiment(2)
    mine = with_settings(world.texts[CODE], {"WIDTH": "80"}) + "\n# by a person\n"
    world.texts[CODE] = mine
    told = world.code()
    assert "# by a person" in told.code
    assert settings(told.code)["WIDTH"] == "80"


def test_words_that_the_code_does_not_know_are_no_values_for_it() -> None:
    world = World(bowl)
    world.experiment(1)
    world.texts[CODE] = world.texts[CODE].replace("gru", "other").replace("attention", "other")
    world.texts[TASKS] = "- [ ] Compare mixers (`MIXER`)\n"
    with pytest.raises(Declined, match="No change is left"):
        world.code()


def test_code_without_its_settings_is_none_of_its_own() -> None:
    world = World(bowl)
    world.experiment(1)
    world.texts[CODE] = "from runner import harness\nrun = harness.start()\nrun.finish(val_bpb=1.0)\n"
    with pytest.raises(Declined, match="none of the settings"):
        world.code()


def test_a_reviewer_who_names_a_value_is_followed() -> None:
    world = World(bowl)
    world.experiment(1)
    told = world.code(feedback="Please use `LEARNING_RATE` = 7e-3, and `BATCH`: 16 → 4.")
    assert {c.name: c.new for c in changes(told.proposal.change)} == {"LEARNING_RATE": "7e-3", "BATCH": "4"}
    assert settings(told.code)["BATCH"] == "4"


def test_a_reviewer_in_free_words_is_not() -> None:
    world = World(bowl)
    world.experiment(1)
    with pytest.raises(Declined, match="NAME = value"):
        world.code(feedback="Make the model deeper, and cite the literature.")


def test_a_task_with_a_value_goes_first() -> None:
    world = World(bowl)
    world.experiment(1)
    world.texts[TASKS] += "- [ ] Try `WIDTH` = 48\n"
    assert [(c.name, c.new) for c in changes(world.code().proposal.change)] == [("WIDTH", "48")]


def test_a_setting_without_an_open_task_is_left_alone() -> None:
    world = World(bowl)
    world.experiment(1)
    world.texts[TASKS] = "\n".join(line for line in world.texts[TASKS].splitlines() if "NGRAMS" not in line) + "\n"
    assert changes(world.code().proposal.change)[0].name != "NGRAMS"


def revised(world: World, guidance: str) -> prompts.RevisionReply:
    prompt = prompts.revise_plan(world.context(), metric=BPB, occasion="you asks for it.", guidance=guidance)
    told = prompts.read_revision(world.ask(prompt))
    world.texts |= {PLAN: render_plan(told.plan, BPB), TASKS: render_tasks(told.tasks)}
    return told


def test_guidance_puts_first_drops_and_sets_by_name() -> None:
    world = World(bowl)
    world.experiment(1)
    told = revised(world, "Vary WIDTH first. Leave NGRAMS alone. BATCH = 4. Be bold!")
    assert "I could not follow “Be bold”" in told.changed
    assert not any("NGRAMS" in text for text, done in told.tasks if not done)
    first, second = world.run(), world.run()
    assert steps_of([first, second])[0] == ("BATCH", "4")
    assert steps_of([first, second])[1][0] == "WIDTH"


def test_a_revised_plan_keeps_what_people_wrote_and_one_metric() -> None:
    world = World(bowl)
    world.experiment(1)
    world.texts[PLAN] = world.texts[PLAN].replace("### Success", "## Tasks\n\nMy own words.\n\n### Success")
    for _ in range(2):
        plan = revised(world, "").plan
        assert "My own words." in plan
        assert plan.count("### Revision") == 1
        assert "Primary metric" not in plan
        assert plan.count("### Goal") == 1


def test_the_report_tells_what_helped() -> None:
    world = World(bowl)
    world.experiment(6)
    prompt = prompts.report(world.context(), metric=BPB, reason="The budget is used up.", best=best(world.records, BPB))
    told = prompts.read_report(world.ask(prompt))
    leader = best(world.records, BPB)
    assert leader is not None
    assert leader.value is not None
    assert f"{leader.value:.4f}" in told.answer
    assert "`NGRAMS` () → (2, 3, 4) (run 2)" in told.results
    assert "no language model" in told.limits


def test_a_report_without_a_result_says_so() -> None:
    world = World(lambda names: "failed")
    world.experiment(1)
    prompt = prompts.report(world.context(), metric=BPB, reason="It is blocked.", best=None)
    assert "There is no answer" in prompts.read_report(world.ask(prompt)).answer


def test_several_hundred_runs_are_read() -> None:
    world = World(bowl)
    world.experiment(12)
    old = world.records[5]
    world.records = [
        *world.records[:5],
        *(replace_run(old, number) for number in range(6, 400)),
        *(replace_run(record, 400 + index) for index, record in enumerate(world.records[6:])),
    ]
    told = world.code()
    assert changes(told.proposal.change)[0].name


def replace_run(record: Record, number: int) -> Record:
    return record.model_copy(update={"run": str(number)})


# Mending


def repaired(status: str, reason: str, *, code: str | None = None) -> prompts.RepairReply:
    attempt = Attempt(
        workflow_run=1, run_attempt=1, inputs="i", status=status, reason=reason, seconds=3.0,
        failure=Failure(type="RuntimeError", message=reason, line=3),
    )  # fmt: skip
    world = World(bowl)
    world.plan()
    told = world.code()
    record = Record(experiment=1, run="1", inputs="i", metric=BPB, proposal=told.proposal, attempts=(attempt,))
    prompt = prompts.repair(world.context(), record=record, attempt=attempt, digest=reason, source=code or told.code)
    return prompts.read_repair(world.ask(prompt))


def test_out_of_memory_is_mended_by_half_the_batch() -> None:
    told = repaired("out-of-memory", "train.py raised OutOfMemoryError: CUDA out of memory.")
    before, after = f"{default('BATCH'):.0f}", f"{default('BATCH') / 2:.0f}"
    assert settings(told.code)["BATCH"] == after
    assert f"`BATCH`: {before} → {after}" in told.fix


def test_a_batch_of_one_cannot_be_halved() -> None:
    told = repaired("failed", "MemoryError", code=with_settings(template(), {"BATCH": "1"}))
    assert settings(told.code)["CONTEXT"] == "64"


def test_a_lost_loss_is_mended_by_a_lower_learning_rate() -> None:
    told = repaired("failed", "train.py raised Diverged: the loss was not finite 3 times in a row, last at step 7")
    assert float(settings(told.code)["LEARNING_RATE"]) < default("LEARNING_RATE") / 2


def test_any_other_fault_is_beyond_it() -> None:
    with pytest.raises(Declined, match="KeyError: 'x'"):
        repaired("failed", "train.py raised KeyError: 'x'")


# The family


def planned(idea: str, title: str = "") -> prompts.PlanReply:
    context = Context(1, title, idea, 20, (), Folder("c0", "experiments/1", {}, {}))
    return prompts.read_plan(Baseline().ask(prompts.plan(context)).text)


def test_the_plan_of_the_demo_idea() -> None:
    told = planned(IDEA, TITLE)
    assert told.metric == BPB
    assert 6 <= len(told.tasks) <= 10
    assert "no language model" in told.plan
    assert "in one training of 20 s" in told.plan


@pytest.mark.parametrize(
    "idea",
    [
        "Classify CIFAR images with a small network.",
        "Train a byte-level language model.",
        "Train a byte-level language model on Shakespeare, in bits per byte.",
        "Compare BPE with bytes: language models on the Python standard library, in bits per byte.",
        "Do not train a byte-level language model on the Python standard library in bits per byte: detect spam.",
        "<!-- byte-level language model, standard library, val_bpb --> Predict the stock market.",
        IDEA.replace("`val_bpb` (bits per byte on held-out files), lower is better", "accuracy, higher is better"),
        IDEA.replace("lower is better", "higher is better"),
        IDEA + "\nUse a Mamba.",
        "",
    ],
)
def test_another_idea_is_declined_with_the_way_to_a_language_model(idea: str) -> None:
    with pytest.raises(Declined, match=r"no language model.*models: provider/name"):
        planned(idea)


@pytest.mark.parametrize(
    "idea",
    [
        "How far can you compress the Python standard library with a byte-level language model?",
        "A character-level language model of the stdlib source, judged by bits per byte.",
        IDEA.replace("`val_bpb` (bits per byte on held-out files), lower is better", "_No response_"),
        IDEA + "\n### Constraints\n\nNo tokenizer, no pretrained weights.\n",
    ],
)
def test_ideas_of_the_family_are_taken(idea: str) -> None:
    assert planned(idea).metric == BPB


def test_another_metric_in_the_plan_is_declined_by_the_coder() -> None:
    world = World(bowl)
    world.plan()
    prompt = prompts.code(
        world.context(), run="1", metric=Metric(name="val_loss", direction="lower"), last=None, code_run=None
    )
    with pytest.raises(Declined, match="val_loss"):
        prompts.read_code(Baseline().ask(prompt).text)


def test_asked_again_it_has_no_other_answer() -> None:
    world = World(bowl)
    world.plan()
    prompt = world.asked[0]
    reply = Baseline().ask(prompt)
    error = ReplyError("The plan is too short.")
    with pytest.raises(Declined, match="too short"):
        prompts.read_plan(Baseline().ask(prompts.again(prompt, reply, error)).text)


# A pure function of the prompt


def test_a_fresh_process_answers_the_same() -> None:
    world = World(bowl)
    world.experiment(4)
    prompt = world.asked[-1]
    program = (
        "import sys; from bot.models.baseline import Baseline; from bot.models.model import Prompt, Role;"
        "prompt = Prompt(Role.ANALYST, '', sys.stdin.buffer.read().decode());"
        "sys.stdout.buffer.write(Baseline().ask(prompt).text.encode())"
    )
    told = subprocess.run(
        [sys.executable, "-c", program],
        input=prompt.user.encode(),
        capture_output=True,
        check=True,
        env={"PYTHONHASHSEED": "7"},
    )
    assert told.stdout.decode() == Baseline().ask(prompt).text


def test_it_costs_nothing() -> None:
    reply = Baseline().ask(replace(prompts.plan(World(bowl).context()), system="anything"))
    assert (reply.model, reply.usage) == ("baseline", Usage())
