from __future__ import annotations

from pathlib import Path

import pytest

from runner.sandbox import environment


def made(**inherited: str) -> dict[str, str]:
    return environment(inherited, importable=Path("/i"), folder=Path("/f"), out=Path("/o"), seconds=20)


@pytest.mark.parametrize(
    "name",
    [
        "GITHUB_TOKEN",
        "GITHUB_ENV",
        "ACTIONS_RUNTIME_TOKEN",
        "OPENAI_API_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "HF_TOKEN",
        "RUNNER_TEMP",
        "TORCH_AUTH",
        "CUDA_SECRET",
        "http_proxy",
        "LD_PRELOAD",
        "SSH_AUTH_SOCK",
        "TRAINWRIGHT_APP_KEY",
        "PYTHONSTARTUP",
    ],
)
def test_what_is_not_allowed_is_not_seen(name: str) -> None:
    assert name not in made(**{name: "x"})


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "LC_ALL", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "LD_LIBRARY_PATH"]
)
def test_what_a_training_needs_is_seen(name: str) -> None:
    assert made(**{name: "x"})[name] == "x"


def test_the_runner_is_imported_from_before_the_folder_and_the_rest() -> None:
    assert made(PYTHONPATH=".:/site::relative")["PYTHONPATH"] == "/i:/f:/site"


def test_the_harness_is_told() -> None:
    told = made(TRAINWRIGHT_OUT="/elsewhere", TRAINWRIGHT_SECONDS="9")
    assert (told["TRAINWRIGHT_OUT"], told["TRAINWRIGHT_SECONDS"]) == ("/o", "20")


def test_threads_do_not_spin_unless_asked_to() -> None:
    assert made()["OMP_WAIT_POLICY"] == "passive"
    assert made(OMP_WAIT_POLICY="active")["OMP_WAIT_POLICY"] == "active"
