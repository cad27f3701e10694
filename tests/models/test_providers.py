"""The list of doors: names, keys, and what is said where there is no door."""

import pytest

from bot.errors import SettingsError
from bot.models.providers import opener
from bot.settings import Keys

KEYS = Keys(openai_api_key="sk-very-secret")


@pytest.mark.parametrize("name", ["baseline", "openai/gpt-5", "openai/meta-llama/llama-3"])
def test_a_model_has_the_name_that_opens_it(name: str) -> None:
    assert opener(KEYS)(name).name == name


@pytest.mark.parametrize("name", ["gpt-5", "openai", "openai/", "/gpt-5", "baseline/1", "acme/gpt-5", ""])
def test_a_name_that_no_door_knows_is_told_the_doors(name: str) -> None:
    with pytest.raises(SettingsError, match=f"no model `{name}` here.*`baseline`.*`openai/`") as error:
        opener(KEYS)(name)
    assert KEYS.openai_api_key not in str(error.value)


def test_a_door_without_its_key_says_which() -> None:
    with pytest.raises(SettingsError, match="TRAINWRIGHT_OPENAI_API_KEY"):
        opener(Keys())("openai/gpt-5")


def test_a_base_url_opens_the_door_without_a_key() -> None:
    assert opener(Keys(openai_base_url="http://127.0.0.1:11434/v1"))("openai/qwen3").name == "openai/qwen3"
