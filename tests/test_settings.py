"""The environment, read once; every error names its variable and the next step."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.errors import SettingsError
from bot.settings import PREFIX, Keys, Settings, read_keys, read_settings

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n"
NEEDED = {"APP_ID": "Iv23liABC", "PRIVATE_KEY": PEM, "WEBHOOK_SECRET": "It's a Secret to Everybody"}


def read(**variables: str) -> Settings:
    return read_settings({PREFIX + name: value for name, value in (NEEDED | variables).items()})


def test_what_is_left_out_has_a_default() -> None:
    settings = read()
    assert (settings.app_id, settings.private_key, settings.webhook_secret) == tuple(NEEDED.values())
    assert (settings.api_url, settings.database) == ("https://api.github.com", "sqlite:///trainwright.db")
    assert (settings.model, settings.workers, settings.sweep_seconds, settings.pace) == ("baseline", 4, 300, True)


def test_what_is_given_is_read() -> None:
    settings = read(API_URL="http://127.0.0.1:9/api/v3/", PORT="80", WORKERS="2", SWEEP_SECONDS="0.5", PACE="false")
    assert (settings.api_url, settings.port, settings.workers) == ("http://127.0.0.1:9/api/v3", 80, 2)
    assert (settings.sweep_seconds, settings.pace) == (0.5, False)


def test_an_empty_variable_is_not_set() -> None:
    assert read(MODEL="  ").model == "baseline"
    with pytest.raises(SettingsError, match="TRAINWRIGHT_WEBHOOK_SECRET is not set"):
        read(WEBHOOK_SECRET=" ")


def test_other_variables_do_not_matter() -> None:
    assert read_settings({f"{PREFIX}{name}": value for name, value in NEEDED.items()} | {"TRAINWRIGHT_OUT": "x"})


def test_everything_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as refusal:
        read_settings({})
    lines = str(refusal.value).splitlines()
    assert [line.split()[0] for line in lines] == [PREFIX + name for name in NEEDED]
    assert all(" is not set. Give the " in line for line in lines)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "65536"),
        ("WORKERS", "0"),
        ("SWEEP_SECONDS", "0"),
        ("SWEEP_SECONDS", "nan"),
        ("PACE", "perhaps"),
        ("API_URL", "api.github.com"),
        ("OPENAI_BASE_URL", "api.openai.com/v1"),
        ("OPENAI_API_KEY", "sk-one sk-two"),
        ("OPENAI_API_KEY", "“sk-pasted”"),
        ("PRIVATE_KEY", "/no/such/key.pem"),
        ("PRIVATE_KEY", "-----BEGIN CERTIFICATE-----"),
        ("PRIVATE_KEY", __file__),
    ],
)
def test_a_wrong_value_is_named_and_not_shown(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^TRAINWRIGHT_{name} is wrong: .+\\. (Give|Leave)") as refusal:
        read(**{name: value})
    assert value not in str(refusal.value) or len(value) < 5


def test_the_key_may_be_a_path_or_have_written_out_line_ends(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text(PEM)
    assert read(PRIVATE_KEY=str(tmp_path / "key.pem")).private_key == PEM
    assert read(PRIVATE_KEY=PEM.strip().replace("\n", "\\n")).private_key == PEM


def test_keys_are_read_as_other_programs_read_them_and_ours_come_first() -> None:
    usual = {"OPENAI_API_KEY": " sk-usual\n", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1/", "APP_ID": "of another"}
    assert read_keys({}) == Keys(openai_api_key="", openai_base_url="")
    assert read_keys(usual) == Keys(openai_api_key="sk-usual", openai_base_url="http://127.0.0.1:9/v1")
    assert read_keys(usual | {"TRAINWRIGHT_OPENAI_API_KEY": "sk-ours"}).openai_api_key == "sk-ours"
    assert read_keys(usual | {"TRAINWRIGHT_OPENAI_API_KEY": " "}).openai_api_key == "sk-usual"
    settings = read_settings(usual | {PREFIX + name: value for name, value in NEEDED.items()})
    assert (settings.openai_api_key, settings.app_id) == ("sk-usual", NEEDED["APP_ID"])


def test_a_wrong_usual_variable_is_named_as_it_was_given() -> None:
    with pytest.raises(SettingsError, match=r"^OPENAI_BASE_URL is wrong: not a URL .* Leave it out for OpenAI"):
        read_keys({"OPENAI_BASE_URL": "localhost:8000"})


def test_settings_are_frozen_and_keep_their_secrets() -> None:
    settings = read(OPENAI_API_KEY="sk-secret", OPENAI_BASE_URL="http://me:password@127.0.0.1")
    with pytest.raises(ValidationError):
        setattr(settings, "port", 1)  # noqa: B010 (mypy knows that it is frozen)
    assert "Secret" not in repr(settings)
    assert "MIIE" not in repr(settings)
    assert "sk-secret" not in repr(settings)
    assert "password" not in repr(settings)


def test_each_setting_has_a_next_step() -> None:
    assert all(field.description for field in Settings.model_fields.values())
