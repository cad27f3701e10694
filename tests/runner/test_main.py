from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "runner", *arguments], input=stdin, capture_output=True, text=True)


def test_help_names_the_three_commands_and_every_option() -> None:
    assert "{train,digest,probe}" in run("--help").stdout
    options = run("train", "--help").stdout
    for option in ("--folder", "--out", "--seconds", "--hard-seconds", "--grace-seconds", "--request", "--sandbox"):
        assert option in options


def test_digest_of_a_file_and_of_standard_input_are_the_same(tmp_path: Path) -> None:
    text = "step 1 | loss 2.5\ntoken ghp_" + "a1B2" * 9 + "\n"
    (tmp_path / "log").write_text(text)
    page = run("digest", str(tmp_path / "log")).stdout
    assert "| loss | 2.5 @ 1 |" in page
    assert "[redacted ghp]" in page
    assert run("digest", stdin=text).stdout == page


def test_probe_prints_a_fact_a_line() -> None:
    assert f"python: {sys.version.split()[0]}\n" in run("probe").stdout


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "soon", "1e99"])
def test_a_time_that_is_none_is_refused(tmp_path: Path, seconds: str) -> None:
    done = run("train", "--folder", str(tmp_path), "--out", str(tmp_path / "out"), f"--seconds={seconds}")
    assert done.returncode == 2
    assert "--seconds" in done.stderr
    assert not (tmp_path / "out").exists()
