"""A lab's .github/trainwright.yml: models, budgets and runner settings, read from main only."""

import reprlib
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.errors import LabConfigError
from bot.models.model import Role
from bot.sanitise import safe_line

PATH = ".github/trainwright.yml"
WORKFLOW = "train.yml"
WORKFLOW_PATH = f".github/workflows/{WORKFLOW}"
MODEL = "a model, as `provider/model` or `baseline`"


class Strict(BaseModel):
    """The descriptions end the sentence "it must be …"."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Budget(Strict):
    """What one experiment may use before it pauses."""

    runs: int = Field(default=10, ge=1, le=1000, description="a whole number from 1 to 1000")
    dollars: float = Field(default=10.0, ge=0, allow_inf_nan=False, description="a number of at least 0")
    gpu_minutes: float = Field(default=600.0, gt=0, allow_inf_nan=False, description="a number above 0")


class Runner(Strict):
    """Where and how long a training runs. `seconds` is the training's own budget, told to the harness; at
    `hard_seconds`, by default half as long again and a minute, it is ended."""

    labels: tuple[str, ...] = Field(
        default=("self-hosted", "gpu"), description="a list of words, such as `[self-hosted, gpu]`"
    )
    seconds: int = Field(
        default=1800, ge=1, le=4 * 24 * 3600, description="a whole number from 1 to 345600 (four days)"
    )
    hard_seconds: int | None = Field(
        default=None, ge=1, le=5 * 24 * 3600, description="a whole number from 1 to 432000 (five days)"
    )
    sandbox: Literal["none"] = Field(default="none", description="`none`, the only one there is")
    queue_minutes: float = Field(
        default=24 * 60.0, gt=0, le=40 * 24 * 60.0, description="a number above 0, at most 57600 (forty days)"
    )

    @property
    def limit(self) -> int:
        """Seconds after which a training is ended."""
        return self.hard_seconds or self.seconds * 3 // 2 + 60


class LabConfig(Strict):
    app: str | None = Field(default=None, description="the name of a GitHub App")
    models: str | dict[Role, str] | None = Field(default=None, description=f"{MODEL}, or a mapping with one per role")
    budget: Budget = Field(default=Budget(), description=f"a mapping of {', '.join(Budget.model_fields)}")
    repairs: int = Field(default=2, ge=0, le=10, description="a whole number from 0 to 10")
    runner: Runner = Field(default=Runner(), description=f"a mapping of {', '.join(Runner.model_fields)}")

    def model_for(self, role: Role, *, default: str) -> str:
        """The name of the model that plays this role: the lab's choice, else the server's."""
        if isinstance(self.models, str):
            return self.models
        return (self.models or {}).get(role, default)


def _described(kind: type[Strict], prefix: str = "") -> dict[str, str]:
    return {prefix + name: field.description or "" for name, field in kind.model_fields.items()}


EXPECTED = {
    **_described(LabConfig),
    **{f"models.{role}": MODEL for role in Role},
    **_described(Budget, "budget."),
    **_described(Runner, "runner."),
}
"""Every setting by its path, and what it must be."""
MOST = 20
"""Complaints told at once: so many fit into a comment."""
TEXT = "tag:yaml.org,2002:str"
MAPPING = "tag:yaml.org,2002:map"
NOTHING = "tag:yaml.org,2002:null"


def read_config(text: str | None) -> LabConfig:
    """Defaults where the file is missing or empty. LabConfigError names the line, the key and what was expected, for
    everything that is wrong."""
    try:
        loader = _Loader(text or "")
        root = loader.get_single_node()
        complaints = list(_twice(root)) if root else []
        content = loader.construct_document(root) if root else None
    except RecursionError:
        raise LabConfigError(f"`{PATH}` is nested too deeply.") from None
    except yaml.YAMLError as error:
        raise LabConfigError(_not_yaml(error, text or "")) from None
    if root and content is not None and not isinstance(content, dict):
        sentence = f"this must be a mapping of settings, such as `repairs: 2`, not {_shown(root)}."
        raise LabConfigError(_told([_Complaint(_line(root), sentence)]))
    return _validated(content or {}, root, complaints)


def _validated(content: dict[object, object], root: yaml.Node | None, complaints: list["_Complaint"]) -> LabConfig:
    config = LabConfig()
    try:
        config = LabConfig.model_validate(content)
    except ValidationError as error:
        assert root
        complaints = [*complaints, *_strange(root), *_wrong(error, root)]
    if complaints:
        raise LabConfigError(_told(complaints))
    return config


class _Loader(yaml.SafeLoader):
    """Says where a value stands that it cannot read."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, LookupError, AttributeError, ArithmeticError, TypeError):
            problem = f"{_shown(node)} cannot be read as {node.tag.rpartition(':')[2]}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None


@dataclass(frozen=True)
class _Complaint:
    line: int
    sentence: str


@dataclass(frozen=True)
class _Setting:
    """As it stands in the file. `path` names it in full: `runner.seconds`."""

    path: str
    key: yaml.Node
    value: yaml.Node


def _settings(node: yaml.Node, section: str = "") -> list[_Setting]:
    """Those that stand in this mapping; where merged keys are overridden, what holds comes last."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return [_Setting(_join(section, _short(key)), key, value) for key, value in pairs]


def _twice(root: yaml.Node) -> Iterator[_Complaint]:
    """YAML forbids a key that stands twice; PyYAML takes the last."""
    todo, done = [(root, "")], set[int]()
    while todo:
        node, section = todo.pop()
        if id(node) in done:  # an alias may lead to where we have been
            continue
        done.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            todo += [(item, section) for item in node.value]
        first: dict[tuple[str, str], yaml.Node] = {}
        for setting in _settings(node, section):
            todo.append((setting.value, setting.path))
            if not isinstance(setting.key, yaml.ScalarNode):
                continue
            known = first.setdefault((setting.key.tag, setting.key.value), setting.key)
            if known is not setting.key:
                sentence = f"{_code(setting.path)} is set a second time; the first is in line {_line(known)}. Keep one."
                yield _Complaint(_line(setting.key), sentence)


def _strange(root: yaml.Node) -> Iterator[_Complaint]:
    """Keys that are no setting of ours."""
    for setting in _settings(root):
        if not _is_known(setting, ""):
            yield _stranger(setting, "")
        elif _names(setting.path) and setting.value.tag == MAPPING:
            inner = _settings(setting.value, setting.path)
            yield from (_stranger(one, setting.path) for one in inner if not _is_known(one, setting.path))


def _stranger(setting: _Setting, section: str) -> _Complaint:
    names = _names(section)
    likely = _likely(str(setting.key.value), section)
    question = f"; did you mean {likely}?" if likely else "."
    where, there = (f" of `{section}`", "It has") if section else ("", "There are")
    sentence = f"{_code(setting.path)} is not a setting{where}{question} {there} {', '.join(names)}."
    return _Complaint(_line(setting.key), sentence)


def _likely(name: str, section: str) -> str:
    """What may have been meant: the same name elsewhere, or one much like it here."""
    for path in EXPECTED:
        elsewhere, _, last = path.rpartition(".")
        if name in (path, last):
            return f"`{last}` in `{elsewhere}`" if elsewhere else f"`{last}` at the top level"
    return "".join(f"`{close}`" for close in get_close_matches(name, _names(section), n=1, cutoff=0.7))


def _wrong(error: ValidationError, root: yaml.Node) -> Iterator[_Complaint]:
    """Values that are not what they must be. pydantic may have several complaints of one."""
    told = set[int]()
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        setting = _at(one["loc"], root)
        of_a_key = one["type"] in ("extra_forbidden", "invalid_key", "enum")  # said by `_strange`
        of_one_model = setting.path == "models" and setting.value.tag == MAPPING  # but there is one per role
        if of_a_key or of_one_model or id(setting.key) in told:
            continue
        told.add(id(setting.key))
        sentence = f"{_code(setting.path)} must be {EXPECTED[setting.path]}, not {_shown(setting.value)}."
        yield _Complaint(_line(setting.key), sentence)


def _at(location: tuple[int | str, ...], root: yaml.Node) -> _Setting:
    """The setting, or the item of its list, at a location of pydantic's, which has parts that no file has."""
    here = _Setting("", root, root)
    for part in location:
        if isinstance(part, int) and isinstance(here.value, yaml.SequenceNode):
            item = here.value.value[part]
            here = _Setting(here.path, item, item)
        else:
            known = (one for one in reversed(_settings(here.value, here.path)) if _is_known(one, here.path))
            here = next((one for one in known if one.key.value == part), here)
    return here


def _is_known(setting: _Setting, section: str) -> bool:
    return setting.key.tag == TEXT and setting.key.value in _names(section)


def _names(section: str) -> list[str]:
    """The settings of a section; of the file for an empty one."""
    names = [path.rpartition(".") for path in EXPECTED]
    return [name for where, _, name in names if where == section]


def _join(section: str, name: str) -> str:
    return f"{section}.{name}" if section else name


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _short(node: yaml.Node) -> str:
    """In one line, as it was written."""
    return reprlib.repr(node.value)[1:-1] if isinstance(node, yaml.ScalarNode) else "…"


def _shown(node: yaml.Node | None) -> str:
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if not isinstance(node, yaml.ScalarNode):
        return "a mapping"
    if node.tag == NOTHING:
        return "left empty"
    quoted = node.tag == TEXT or not node.value
    return safe_line(reprlib.repr(node.value) if quoted else _short(node))


def _code(path: str) -> str:
    short = path if len(path) < 100 else f"…{path[-98:]}"
    return f"`{safe_line(short.replace('`', chr(39)))}`"


def _not_yaml(error: yaml.YAMLError, text: str) -> str:
    problem, line = str(error).partition("\n")[0], 1
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
    elif isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        problem, line = _problem(error), error.problem_mark.line + 1
    return _told([_Complaint(line, f"this is not valid YAML: {safe_line(problem)[:300]}.")])


def _problem(error: yaml.MarkedYAMLError) -> str:
    """What YAML did not understand; and where that begins, if it is in another line: a bracket that was left open."""
    problem, context = error.problem or "", error.context or ""
    if problem.startswith("but "):
        return f"{context}, {problem}"
    begun, seen = error.context_mark, error.problem_mark
    if begun and seen and begun.line != seen.line and context.startswith("while "):
        return f"{problem}, {context} that begins in line {begun.line + 1}"
    return problem


def _told(complaints: list[_Complaint]) -> str:
    """Line by line, the file named once."""
    ordered = sorted(complaints, key=lambda one: one.line)
    sentences = [f"Line {one.line}: {one.sentence}" for one in ordered[:MOST]]
    if len(ordered) > MOST:
        sentences.append(f"There are {len(ordered) - MOST} complaints more.")
    return f"`{PATH}`, l" + "\n".join(sentences).removeprefix("L")
