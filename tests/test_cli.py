"""The command line, run as a person runs it: real trainings of a second, a real Ctrl-C."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.cli import main

COMMAND = [sys.executable, "-c", "from bot.cli import main; main()"]


def demo(folder: Path, *options: str) -> subprocess.Popen[str]:
    """Where a proxy is configured, it does not get in the way: nothing listens at this one."""
    environ = {**os.environ, "HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    command = [*COMMAND, "demo", "--exit", "--runs", "1", "--dir", str(folder), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environ)


def processes_of(folder: Path) -> list[str]:
    """Every process that works in this folder or names it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(folder) in command or str((process / "cwd").readlink()).startswith(str(folder)):
                found.append(command)
        except OSError:
            continue
    return found


def test_ctrl_c_leaves_no_process_and_the_next_start_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    first = demo(folder, "--seconds", "60")
    assert first.stdout
    seen = []
    for line in first.stdout:
        seen.append(line)
        if "training run 1" in line:
            break
    assert processes_of(folder)
    first.send_signal(signal.SIGINT)
    rest = first.communicate(timeout=30)[0]
    assert (first.returncode, "Traceback" in rest) == (130, False), "".join(seen) + rest
    time.sleep(0.5)
    assert processes_of(folder) == []
    second = demo(folder)
    assert second.stdout
    said = next(line for line in second.stdout if "training run 1" in line)
    second.send_signal(signal.SIGINT)
    second.communicate(timeout=30)
    assert said
    assert processes_of(folder) == []


def test_the_demo_takes_an_idea_to_a_merged_report(tmp_path: Path) -> None:
    run = demo(tmp_path / "lab", "--seconds", "2")
    said = run.communicate(timeout=100)[0]
    assert run.returncode == 0, said
    report = re.search(r"REPORT\.md: (.+)", said)
    assert report
    assert "val_bpb" in Path(report[1]).read_text()
    again = demo(tmp_path / "lab")
    assert "REPORT.md" in again.communicate(timeout=60)[0]
    assert again.returncode == 0


def test_an_idea_of_another_family_pauses_with_the_way_on(tmp_path: Path) -> None:
    idea = tmp_path / "idea.md"
    idea.write_text("# Sentence memory\n\nInject a sentence embedding into a pretrained transformer.\n")
    run = demo(tmp_path / "lab", "--idea", str(idea))
    said = run.communicate(timeout=60)[0]
    assert run.returncode == 1, said
    assert "no language model" in " ".join(said.split())
    assert ".github/trainwright.yml" in said


def test_serve_names_every_variable_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("APP_ID", "PRIVATE_KEY", "WEBHOOK_SECRET"):
        monkeypatch.delenv(f"TRAINWRIGHT_{name}", raising=False)
    told = CliRunner().invoke(main, ["serve"])
    assert told.exit_code == 1
    assert all(f"TRAINWRIGHT_{name}" in told.output for name in ("APP_ID", "PRIVATE_KEY", "WEBHOOK_SECRET"))


@contextlib.contextmanager
def serving(environ: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    run = subprocess.Popen([*COMMAND, "serve"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)
    try:
        yield run
    finally:
        run.kill()
        run.communicate()


def as_an_app(folder: Path) -> dict[str, str]:
    """What a person sets for `serve`. GitHub is out of reach: nothing listens at port 9."""
    key = folder / "app.pem"
    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    key.write_bytes(pem)
    ours = {
        "APP_ID": "1",
        "PRIVATE_KEY": str(key),
        "WEBHOOK_SECRET": "secret",
        "API_URL": "http://127.0.0.1:9",
        "DATABASE": f"sqlite:///{folder / 'ledger.db'}",
        "PORT": "0",
    }
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TRAINWRIGHT_")}
    return {**environ, **{f"TRAINWRIGHT_{name}": value for name, value in ours.items()}}


def test_a_second_server_on_one_database_is_told_who_has_it_and_the_first_goes_on(tmp_path: Path) -> None:
    environ = as_an_app(tmp_path)
    with serving(environ) as first:
        assert first.stdout
        address = re.search(r"http://[\d.:]+", first.stdout.readline())
        assert address
        second = subprocess.run([*COMMAND, "serve"], capture_output=True, text=True, timeout=60, env=environ)
        assert (second.returncode, second.stdout) == (1, "")
        assert second.stderr == (
            f"Error: TRAINWRIGHT_DATABASE: the database is in use by another process (pid {first.pid}), "
            f"which holds {tmp_path}/ledger.db.lock. Stop that one, or give this one another database.\n"
        )
        assert first.poll() is None
        assert httpx2.get(f"{address[0]}/health", trust_env=False).status_code in (200, 503)
        first.send_signal(signal.SIGKILL)
        first.wait(30)
        with serving(environ) as third:
            assert third.stdout
            assert "Listening" in third.stdout.readline()
