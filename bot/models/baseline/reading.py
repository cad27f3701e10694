"""What baseline reads out of a prompt: the same Markdown that a language model gets, and nothing else. Pure."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from bot import markdown

NUMBER = r"[-+\u2212]?(?:\d[\d,]*(?:\.\d*)?(?:e[-+]?\d+)?|nan|inf)"


class Kind(StrEnum):
    """What a prompt asks for, by the words of its heading `# Your task: …`."""

    PLAN = "the plan"
    CODE = "the code of run"
    REPAIR = "mend the code of run"
    SUMMARY = "the summary of a training"
    ANALYSIS = "the analysis of run"
    REVISION = "revise the plan"
    REPORT = "the report"


@dataclass(frozen=True)
class Section:
    """A heading of the prompt's own. `blocks` are the fences and the data between `<<<` and `>>>` below it."""

    level: int
    title: str
    text: str
    blocks: tuple[str, ...]

    @property
    def block(self) -> str:
        return self.blocks[0] if self.blocks else ""


@dataclass(frozen=True)
class Metric:
    name: str
    lower: bool


@dataclass(frozen=True)
class Figure:
    """A number of a training, as the prompt shows it."""

    name: str
    text: str
    value: float


@dataclass(frozen=True)
class Course:
    """Where a logged metric stood at the start, the quarters and the end: (step, value as shown)."""

    name: str
    points: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Facts:
    """What a training gave."""

    status: str = ""
    reason: str = ""
    time: str = ""
    figures: tuple[Figure, ...] = ()
    error: str = ""
    courses: tuple[Course, ...] = ()
    lines: tuple[str, ...] = ()

    def figure(self, name: str) -> Figure | None:
        return next((figure for figure in self.figures if figure.name == name), None)


@dataclass(frozen=True)
class Row:
    """One run in the table of runs. `delta` is the difference to the best before, signed as it is."""

    run: str
    change: str
    value: float | None
    delta: float | None
    verdict: str
    status: str
    discarded: bool

    @property
    def failed(self) -> bool:
        return self.verdict == "failed"


@dataclass(frozen=True)
class Finding:
    run: str
    text: str


@dataclass(frozen=True)
class Question:
    """All that a prompt says. What its kind of prompt does not have is empty."""

    kind: Kind
    run: str = ""
    title: str = ""
    idea: str = ""
    plan: str = ""
    seconds: float = 0.0
    machine: str = ""
    metric: Metric | None = None
    rows: tuple[Row, ...] = ()
    findings: tuple[Finding, ...] = ()
    tasks: tuple[markdown.Item, ...] = ()
    code: str = ""
    last_run: str = ""
    last_change: str = ""
    feedback: str = ""
    hypothesis: str = ""
    change: str = ""
    expected: str = ""
    facts: Facts = Facts()
    verdict: str = ""
    best_before: float | None = None
    difference: float | None = None
    runs_left: int | None = None
    digest: str = ""
    reason: str = ""
    guidance: str = ""
    occasion: str = ""
    answered: str = ""
    complaints: tuple[str, ...] = ()


def read(text: str) -> Question | None:
    """None when the prompt asks for nothing that baseline knows."""
    page = sections(text.replace("\r\n", "\n"))
    task = next((index for index, found in enumerate(page) if _kind(found)), None)
    if task is None:
        return None
    kind = _kind(page[task])
    assert kind is not None
    return _Page(page, task, kind).question()


def sections(text: str) -> tuple[Section, ...]:
    """The prompt's own headings. What stands in fences and data blocks is opaque, whatever it looks like."""
    found: list[Section] = []
    level, title, lines, blocks = 0, "", list[str](), list[str]()
    closing, block = "", list[str]()
    for line in text.split("\n"):
        heading = re.match(r"(#{1,2}) (\S.*)", line)
        fence = re.fullmatch(r"(`{3,})\w*", line)
        if closing:
            if line != closing:
                block.append(line)
                continue
            blocks.append("\n".join(block))
            closing = ""
        elif line == "<<<" or fence:
            closing, block = (fence[1] if fence else ">>>"), []
        elif heading:
            found.append(Section(level, title, "\n".join(lines).strip(), tuple(blocks)))
            level, title, lines, blocks = len(heading[1]), heading[2].strip(), [], []
        else:
            lines.append(line)
    return (*found, Section(level, title, "\n".join(lines).strip(), tuple(blocks)))


def _kind(section: Section) -> Kind | None:
    asked = section.title.removeprefix("Your task: ")
    if section.level != 1 or asked == section.title:
        return None
    return next((kind for kind in Kind if re.fullmatch(rf"{kind}( [1-9]\d*[a-z]?)?", asked)), None)


class _Page:
    """A prompt, cut at its headings; `task` is the section that says what is asked for."""

    def __init__(self, page: tuple[Section, ...], task: int, kind: Kind) -> None:
        self._known, self._asked = page[:task], page[task:]
        self._task, self._kind = page[task], kind

    def question(self) -> Question:
        last = self._find(self._known, "The last run: ")
        guidance, runs = self._find(self._asked, "Guidance of"), self._find(self._known, "Runs")
        run = re.search(r" run (\w+)$", self._task.title) or re.match(r"- Run (\w+), which changed", self._task.text)
        metric = self._metric()
        return Question(
            kind=self._kind,
            run=run[1] if run else "",
            title=self._line(self._find(self._known, "The experiment").text, r"Issue #\d+: (.*)"),
            idea=_data(self._find(self._known, "Idea").block),
            plan=_data(self._find(self._known, "PLAN.md").block),
            seconds=number(self._context(r"may take (\S+) seconds")) or 0.0,
            machine=self._context(r"Machine: (.*)"),
            metric=metric,
            rows=tuple(_rows(runs.text)),
            findings=tuple(_findings(self._find(self._known, "Key findings").text)),
            tasks=markdown.items(_data(self._find(self._known, "TASKS.md").block)),
            code=self._code(),
            last_run=self._line(last.title, r"The last run: (\w+)"),
            last_change=self._line(last.text, r"Change: (.*)"),
            feedback=_data(self._find(self._known, "Feedback of").block),
            hypothesis=self._line(self._task.text, r"Hypothesis: (.*)"),
            change=self._line(self._task.text, r"(?:Change|- Run \w+, which changed): (.*)"),
            expected=self._line(self._task.text, r"Expected: (.*)"),
            facts=self._facts(),
            verdict=self._measured(r"is better\): (improved|no gain|failed)"),
            best_before=number(self._measured(rf"against ({NUMBER}), the best before")),
            difference=number(self._measured(rf"the best before[:;,]? \(?({NUMBER})")),
            runs_left=_count(self._measured(r"Runs left in the budget after this one: (\d+)")),
            digest=self._find(self._asked, "Digest").block,
            reason=self._line(self._task.text, r"(?:The training broke|The experiment ends): (.*)"),
            guidance=_data(guidance.block),
            occasion=self._task.text.split("\n")[0],
            answered=_data(self._find(self._asked, "Your answer so far").block),
            complaints=self._complaints(),
        )

    def _find(self, among: tuple[Section, ...], title: str) -> Section:
        return next((found for found in among if found.title.startswith(title)), Section(0, "", "", ()))

    def _line(self, text: str, pattern: str) -> str:
        found = re.search(rf"^{pattern}", text, re.MULTILINE)
        return found[1].strip() if found else ""

    def _context(self, pattern: str) -> str:
        found = re.search(pattern, self._find(self._known, "Time and machine").text)
        return found[1].strip() if found else ""

    def _measured(self, pattern: str) -> str:
        """From the section that only an analysis has."""
        found = re.search(pattern, self._find(self._asked, "Measured").text)
        return found[1] if found else ""

    def _metric(self) -> Metric | None:
        """Where the task itself does not name it, the plan does, in the section that the bot writes."""
        declared = r"`([A-Za-z][\w./@-]{0,63})`,? \(?(lower|higher) is better"
        texts = [section.text for section in self._asked]
        if self._kind is not Kind.PLAN:
            plan = _data(self._find(self._known, "PLAN.md").block)
            texts.append(plan.rpartition("## Primary metric")[2])
        found = next((match for text in texts if (match := re.search(declared, text))), None)
        return Metric(found[1], found[2] == "lower") if found else None

    def _code(self) -> str:
        among = self._known if self._kind is Kind.CODE else self._asked
        return next((s.block for s in among if re.match(r"(Difference of )?train\.py\b", s.title)), "")

    def _facts(self) -> Facts:
        if self._kind is Kind.ANALYSIS:
            return facts(self._find(self._asked, "Measured").text)
        return facts(self._task.text)

    def _complaints(self) -> tuple[str, ...]:
        text = self._find(self._asked, "Your answer so far").text
        return tuple(line[2:] for line in text.split("\n") if line.startswith("- "))


def facts(text: str) -> Facts:
    """The list that the prompts show of a training."""
    lines = tuple(line for line in text.split("\n") if re.match(r"- (Status|Time|Error|Course of|`)", line))
    status = re.search(r"^- Status: ([\w-]+)\.? ?(.*)$", text, re.MULTILINE)
    time, error = (re.search(rf"^- {name}: (.*)$", text, re.MULTILINE) for name in ("Time", "Error"))
    return Facts(
        status=status[1] if status else "",
        reason=status[2] if status else "",
        time=time[1] if time else "",
        figures=tuple(_figures(lines)),
        error=error[1] if error else "",
        courses=tuple(_courses(lines)),
        lines=lines,
    )


def _figures(lines: tuple[str, ...]) -> Iterator[Figure]:
    for line in lines:
        found = re.fullmatch(rf"- `([^`]+)`: ({NUMBER})", line)
        value = number(found[2]) if found else None
        if found and value is not None:
            yield Figure(found[1], found[2], value)


def _courses(lines: tuple[str, ...]) -> Iterator[Course]:
    for line in lines:
        found = re.fullmatch(r"- Course of `([^`]+)`: (.*)", line)
        if found:
            points = re.findall(rf"({NUMBER}) at step ({NUMBER})", found[2])
            yield Course(found[1], tuple((step, value) for value, step in points))


def number(text: str) -> float | None:
    """A number as the prompts write it: 1,024, −0.0412, nan."""
    try:
        return float(text.replace(",", "").replace("\u2212", "-"))
    except ValueError:
        return None


def finite(text: str) -> float | None:
    value = number(text)
    return value if value is not None and math.isfinite(value) else None


def _count(text: str) -> int | None:
    return int(text) if text and len(text) < 10 else None


def _rows(table: str) -> Iterator[Row]:
    """Every row that has a run's name in its first cell; whatever else stands there is passed over."""
    for line in table.split("\n"):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.replace("\\\\", "\0"))[1:-1]]
        if len(cells) < 8 or not re.fullmatch(r"[1-9]\d*[a-z]?", cells[0]):
            continue
        change = cells[2].replace("\\|", "|").replace("\0", "\\")
        verdict = re.match(r"(improved|no gain|failed|no result)(?: \(([\w-]+)\))?(, discarded)?", cells[5])
        if verdict:
            value, delta = finite(cells[3]), finite(cells[4])
            yield Row(cells[0], change, value, delta, verdict[1], verdict[2] or "", bool(verdict[3]))


def _findings(text: str) -> Iterator[Finding]:
    for line in text.split("\n"):
        found = re.match(r"- Run (\w+): (.*)", line)
        if found:
            yield Finding(found[1], found[2])


def _data(block: str) -> str:
    """Foreign text as it was before it was made unable to leave its block."""
    return re.sub(r"^(\s*)\\(<<<|>>>)", r"\1\2", block, flags=re.MULTILINE)
