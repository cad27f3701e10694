"""A lab's .github/trainwright.yml: models, budgets and runner settings, read from main only."""

import reprlib
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.errors import LabConfigError
from bot.models.model import Role

PATH = ".github/trainwright.yml"
WORKFLOW = "train.yml"
WORKFLOW_PATH = f".github/workflows/{WORKFLOW}"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Budget(Strict):
    """What one experiment may use before it pauses."""

    runs: int = Field(default=10, ge=1, le=1000)
    dollars: float = Field(default=10.0, ge=0, allow_inf_nan=False)
    gpu_minutes: float = Field(default=600.0, gt=0, allow_inf_nan=False)


class Runner(Strict):
    """Where and how long a training runs. `seconds` is the training's own budget, told to the harness; at
    `hard_seconds`, by default half as long again and a minute, it is ended."""

    labels: tuple[str, ...] = ("self-hosted", "gpu")
    seconds: int = Field(default=1800, ge=1, le=4 * 24 * 3600)
    hard_seconds: int | None = Field(default=None, ge=1, le=5 * 24 * 3600)
    sandbox: Literal["none"] = "none"
    queue_minutes: float = Field(default=24 * 60.0, gt=0, le=40 * 24 * 60.0)

    @property
    def limit(self) -> int:
        """Seconds after which a training is ended."""
        return self.hard_seconds or self.seconds * 3 // 2 + 60


class LabConfig(Strict):
    app: str | None = None
    models: str | dict[Role, str] | None = None
    budget: Budget = Budget()
    repairs: int = Field(default=2, ge=0, le=10)
    runner: Runner = Runner()

    def model_for(self, role: Role, *, default: str) -> str:
        """The name of the model that plays this role: the lab's choice, else the server's."""
        if isinstance(self.models, str):
            return self.models
        return (self.models or {}).get(role, default)


def read_config(text: str | None) -> LabConfig:
    """Defaults where the file is missing or empty; LabConfigError names the key and what was expected."""
    try:
        content = yaml.safe_load(text or "")
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        raise LabConfigError(f"{PATH} is not valid YAML: {error}") from None
    if content is not None and not isinstance(content, dict):
        raise LabConfigError(f"{PATH} must be a mapping of settings, but it is a {type(content).__name__}.")
    try:
        return LabConfig.model_validate(content or {})
    except ValidationError as error:
        raise LabConfigError(f"{PATH}: " + "; ".join(map(_complaint, error.errors()))) from None


def _complaint(error: object) -> str:
    assert isinstance(error, dict)
    key = ".".join(str(part) for part in error["loc"])
    return f"`{key}`: {error['msg']} (found {reprlib.repr(error['input'])})"
