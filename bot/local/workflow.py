"""A workflow file, read into values. What the stand-in cannot run is refused by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

from bot.local.expressions import Expression, Template, Unreadable
from bot.local.refusals import Invalid

CHECKOUT, UPLOAD = "actions/checkout", "actions/upload-artifact"
WORKFLOW_KEYS = ("name", "run-name", "on", "permissions", "concurrency", "env", "defaults", "jobs")
JOB_KEYS = ("name", "runs-on", "permissions", "timeout-minutes", "env", "if", "defaults", "steps")
STEP_KEYS = (
    "name",
    "id",
    "if",
    "uses",
    "with",
    "run",
    "env",
    "shell",
    "working-directory",
    "timeout-minutes",
    "continue-on-error",
)
WITH_KEYS = {
    CHECKOUT: ("ref", "path", "fetch-depth", "persist-credentials", "clean"),
    UPLOAD: (
        "name",
        "path",
        "if-no-files-found",
        "retention-days",
        "compression-level",
        "overwrite",
        "include-hidden-files",
    ),
}
SHELLS = ("bash", "sh")
JOB_MINUTES = "360"


@dataclass(frozen=True)
class Input:
    name: str
    type: str
    required: bool
    default: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    name: Template
    id: str
    condition: Expression
    uses: str
    """CHECKOUT or UPLOAD, or nothing for a `run`."""
    options: Mapping[str, Template]
    run: Template
    env: Mapping[str, Template]
    shell: str
    folder: Template
    minutes: Template
    continue_on_error: Template


@dataclass(frozen=True)
class Job:
    id: str
    name: Template
    runs_on: Template
    condition: Expression
    env: Mapping[str, Template]
    minutes: Template
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class WorkflowFile:
    name: str
    title: Template
    group: Template
    """The concurrency group, empty for none."""
    cancel_in_progress: Template
    keep_pending: bool
    env: Mapping[str, Template]
    jobs: tuple[Job, ...] = field(default=())


Raw = dict[str, object]


def read_dispatch(text: str) -> tuple[Input, ...]:
    """The inputs of `workflow_dispatch`; GitHub's 422 where the workflow has no such trigger."""
    triggers = _load(text).get("on")
    if isinstance(triggers, str):
        triggers = {triggers: None}
    if isinstance(triggers, list):
        triggers = dict.fromkeys(triggers)
    if not isinstance(triggers, dict) or "workflow_dispatch" not in triggers:
        raise Invalid("Workflow does not have 'workflow_dispatch' trigger")
    inputs = _mapping(_mapping(triggers["workflow_dispatch"]).get("inputs"))
    return tuple(_input(name, _mapping(raw)) for name, raw in inputs.items())


def fit_inputs(inputs: tuple[Input, ...], given: Mapping[str, str]) -> dict[str, str]:
    """What the run gets: given values checked, defaults filled in."""
    unexpected = [name for name in given if name not in {known.name for known in inputs}]
    if unexpected:
        raise Invalid(f"Unexpected inputs provided: {unexpected}".replace("'", '"'))
    fitted = {}
    for known in inputs:
        if known.required and not given.get(known.name, known.default):
            raise Invalid(f"Required input '{known.name}' not provided")
        fitted[known.name] = _fit(known, given.get(known.name, known.default))
    return fitted


def read_workflow(text: str, *, path: str) -> WorkflowFile:
    raw = _load(text)
    _only(raw, WORKFLOW_KEYS, "the workflow")
    concurrency = raw.get("concurrency", "")
    grouping = concurrency if isinstance(concurrency, dict) else {"group": concurrency}
    _only(grouping, ("group", "cancel-in-progress", "queue"), "concurrency")
    jobs = _mapping(raw.get("jobs"))
    if not jobs:
        raise Unreadable("a workflow without jobs")
    name = _text(raw.get("name", path))
    defaults = _defaults(raw, {})
    return WorkflowFile(
        name=name,
        title=Template.parse(_text(raw.get("run-name", name))),
        group=Template.parse(_text(grouping.get("group", ""))),
        cancel_in_progress=Template.parse(_text(grouping.get("cancel-in-progress", False))),
        keep_pending=grouping.get("queue") == "max",
        env=_templates(raw.get("env")),
        jobs=tuple(_job(job_id, _mapping(job), defaults) for job_id, job in jobs.items()),
    )


def _job(job_id: str, raw: Raw, defaults: Raw) -> Job:
    _only(raw, JOB_KEYS, f"job `{job_id}`")
    steps = raw.get("steps")
    if "runs-on" not in raw or not isinstance(steps, list):
        raise Unreadable(f"job `{job_id}` without runs-on or steps")
    runs_on = raw["runs-on"]
    defaults = _defaults(raw, defaults)
    return Job(
        id=job_id,
        name=Template.parse(_text(raw.get("name", job_id))),
        runs_on=Template.parse(", ".join(map(_text, runs_on)) if isinstance(runs_on, list) else _text(runs_on)),
        condition=_condition(raw.get("if")),
        env=_templates(raw.get("env")),
        minutes=Template.parse(_text(raw.get("timeout-minutes", JOB_MINUTES))),
        steps=tuple(_step(at, _mapping(step), defaults) for at, step in enumerate(steps, start=1)),
    )


def _step(at: int, raw: Raw, defaults: Raw) -> Step:
    where = f"step {at}"
    _only(raw, STEP_KEYS, where)
    uses, run = _text(raw.get("uses", "")), _text(raw.get("run", ""))
    action = uses.partition("@")[0]
    if uses and action not in WITH_KEYS:
        raise Unreadable(f"`uses: {uses}` in {where}")
    if bool(uses) == bool(run):
        raise Unreadable(f"{where}, which has neither or both of `uses` and `run`")
    options = _mapping(raw.get("with"))
    _only(options, WITH_KEYS.get(action, ()), f"`with` of {where}")
    shell = _text(raw.get("shell", defaults.get("shell", "")))
    if shell and shell not in SHELLS:
        raise Unreadable(f"`shell: {shell}` in {where}")
    return Step(
        name=Template.parse(_text(raw.get("name", uses or f"Run {run.strip().splitlines()[0]}"))),
        id=_text(raw.get("id", "")),
        condition=_condition(raw.get("if")),
        uses=action,
        options=_templates(options),
        run=Template.parse(run),
        env=_templates(raw.get("env")),
        shell=shell,
        folder=Template.parse(_text(raw.get("working-directory", defaults.get("working-directory", "")))),
        minutes=Template.parse(_text(raw.get("timeout-minutes", JOB_MINUTES))),
        continue_on_error=Template.parse(_text(raw.get("continue-on-error", False))),
    )


def _condition(raw: object) -> Expression:
    """Without a status function it means `success() && (…)`."""
    text = _text(raw if raw is not None else "success()").strip()
    if text.startswith("${{") and text.endswith("}}") and text.count("${{") == 1:
        text = text[3:-2].strip()
    condition = Expression.parse(text)
    return condition if condition.asks_for_status() else Expression.parse(f"success() && ({text})")


def _input(name: str, raw: Raw) -> Input:
    kind = _text(raw.get("type", "string"))
    options = raw.get("options")
    return Input(
        name=name,
        type=kind,
        required=raw.get("required") is True,
        default=_text(raw.get("default", "false" if kind == "boolean" else "")),
        options=tuple(map(_text, options)) if isinstance(options, list) else (),
    )


def _fit(known: Input, value: str) -> str:
    if known.type == "boolean" and value not in ("true", "false"):
        raise Invalid(f"Provided value '{value}' for input '{known.name}' not in the list of allowed values")
    if known.type == "choice" and value not in known.options:
        raise Invalid(f"Provided value '{value}' for input '{known.name}' not in the list of allowed values")
    if known.type == "number" and value:
        try:
            float(value)
        except ValueError as error:
            raise Invalid(f"Provided value '{value}' for input '{known.name}' is not a number") from error
    return value


def _defaults(raw: Raw, above: Raw) -> Raw:
    defaults = _mapping(raw.get("defaults"))
    _only(defaults, ("run",), "defaults")
    run = _mapping(defaults.get("run"))
    _only(run, ("shell", "working-directory"), "defaults.run")
    return {**above, **run}


def _load(text: str) -> Raw:
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Invalid(f"failed to parse workflow: {error}") from error
    # YAML 1.1 takes the bare word `on` for a truth value.
    return {"on" if str(key) == "True" else str(key): value for key, value in _mapping(raw).items()}


def _mapping(raw: object) -> Raw:
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise Unreadable(f"`{raw}`, where a mapping was expected")
    return raw


def _only(raw: Mapping[str, object], known: tuple[str, ...], where: str) -> None:
    for key in raw:
        if key not in known:
            raise Unreadable(f"`{key}` in {where}")


def _templates(raw: object) -> dict[str, Template]:
    return {str(name): Template.parse(_text(value)) for name, value in _mapping(raw).items()}


def _text(raw: object) -> str:
    if raw is None:
        return ""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    return str(raw)
