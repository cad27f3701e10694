"""From a model's name to the model. Each provider is one module of this package; this is the list of doors."""

from collections.abc import Callable

from bot.errors import SettingsError
from bot.models.baseline import Baseline
from bot.models.model import Model
from bot.settings import Keys

BASELINE = "baseline"
OPENAI = "openai"


def opener(keys: Keys) -> Callable[[str], Model]:
    """What opens models by name. It raises SettingsError for a name that no door knows, or a door without a key."""

    def open_model(name: str) -> Model:
        provider, _, model = name.partition("/")
        if name == BASELINE:
            return Baseline()
        if provider == OPENAI and model:
            return _chat(model, keys)
        raise SettingsError(
            f"There is no model `{name}` here. There are `{BASELINE}`, the researcher that needs no key, and "
            f"`{OPENAI}/` with a model's name after it, for OpenAI and every server that speaks its dialect."
        )

    return open_model


def _chat(model: str, keys: Keys) -> Model:
    from bot.models.openai import Chat  # noqa: PLC0415 (its SDK takes half a second: only who asks for it pays)

    return Chat(model, key=keys.openai_api_key, base_url=keys.openai_base_url)
