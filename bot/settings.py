"""The server's settings: environment → frozen values. The only reader of the environment."""

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from bot.errors import SettingsError

PREFIX = "TRAINWRIGHT_"


def _url(text: str) -> str:
    if not text.startswith(("https://", "http://")):
        raise ValueError("not a URL that begins with https:// or http://")
    return text.rstrip("/")


def _pem(text: str) -> str:
    """The key itself, be it given as such (with real or written-out line ends) or as the path of its file."""
    if not text.startswith("-----BEGIN"):
        try:
            text = Path(text).expanduser().read_text(encoding="ascii")
        except (OSError, ValueError):
            raise ValueError("neither a PEM key nor the path of a file that can be read") from None
    text = text.replace("\\n", "\n").strip() + "\n"
    if not text.startswith("-----BEGIN") or "PRIVATE KEY-----" not in text:
        raise ValueError("not a private key in PEM")
    return text


class Keys(BaseModel):
    """What opens the doors to hosted models. Each may be set without the prefix too, as other programs read it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    openai_api_key: str = Field(
        default="",
        pattern="^[!-~]*$",
        repr=False,
        description="Give the key of your account at OpenAI, or of the server at the base URL, and nothing else.",
    )
    openai_base_url: Annotated[str, AfterValidator(lambda text: text and _url(text))] = Field(
        default="",
        repr=False,
        description="Leave it out for OpenAI; for another server give its URL, which mostly ends in /v1.",
    )


class Settings(Keys):
    """Each is set by a variable of its name, in capitals, after TRAINWRIGHT_. The descriptions are next steps."""

    app_id: str = Field(min_length=1, description="Give the client ID or the App ID from your GitHub App's page.")
    private_key: Annotated[str, AfterValidator(_pem)] = Field(
        repr=False,
        description="Give the path of the .pem file that GitHub made for your App, or its content.",
    )
    webhook_secret: str = Field(
        min_length=1,
        repr=False,
        description="Give the secret of your GitHub App's webhook. Without one, anybody could send events to the bot.",
    )
    api_url: Annotated[str, AfterValidator(_url)] = Field(
        default="https://api.github.com",
        description="Leave it out for github.com; for GitHub Enterprise Server it is https://HOST/api/v3.",
    )
    database: str = Field(
        default="sqlite:///trainwright.db", min_length=1, description="Give a URL such as sqlite:///trainwright.db."
    )
    model: str = Field(default="baseline", min_length=1, description="Give a model as provider/model, or baseline.")
    host: str = Field(default="127.0.0.1", min_length=1, description="Give the address to listen on, such as 0.0.0.0.")
    port: int = Field(default=8000, ge=0, le=65535, description="Give a port; 0 takes a free one.")
    workers: int = Field(default=4, ge=1, le=64, description="Give how many experiments may be looked at at once.")
    sweep_seconds: float = Field(default=300.0, gt=0, allow_inf_nan=False, description="Give seconds, such as 300.")
    lag_seconds: float = Field(
        default=60.0,
        gt=0,
        allow_inf_nan=False,
        description="Give the seconds for which GitHub's lists may be behind, such as 60.",
    )
    limit_seconds: float = Field(
        default=60.0,
        gt=0,
        allow_inf_nan=False,
        description="Give the seconds to keep still at a rate limit of GitHub's that names none, such as 60.",
    )
    pace: bool = Field(default=True, description="Give true, or false for a stand-in that has no rate limit.")


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Raises SettingsError, which names every variable that is missing or wrong and says what to do about it."""
    return _read(Settings, environ)


def read_keys(environ: Mapping[str, str] = os.environ) -> Keys:
    """The part that a lab on one machine needs. Raises SettingsError like `read_settings`."""
    return _read(Keys, environ)


K = TypeVar("K", bound=Keys)


def _read(kind: type[K], environ: Mapping[str, str]) -> K:
    given = {key: value.strip() for key, value in environ.items() if value.strip()}
    variables = {name: _variable(name, given) for name in kind.model_fields}
    try:
        return kind.model_validate({name: given[key] for name, key in variables.items() if key in given})
    except ValidationError as error:
        raise SettingsError("\n".join(_complaint(one, variables) for one in error.errors())) from None


def _variable(name: str, given: Mapping[str, str]) -> str:
    ours, usual = PREFIX + name.upper(), name.upper()
    return usual if name in Keys.model_fields and usual in given and ours not in given else ours


def _complaint(error: ErrorDetails, variables: Mapping[str, str]) -> str:
    """Never shows the value: it may be a secret."""
    name = str(error["loc"][0])
    problem = "is not set" if error["type"] == "missing" else f"is wrong: {_problem(error)}"
    return f"{variables[name]} {problem}. {Settings.model_fields[name].description}"


def _problem(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    return message[0].lower() + message[1:]


def go_past_proxies(host: str, environ: MutableMapping[str, str] = os.environ) -> None:
    """A proxy named in the environment would take requests to this machine for its own."""
    for name in ("NO_PROXY", "no_proxy"):
        environ[name] = ",".join(filter(None, (environ.get(name), host)))
