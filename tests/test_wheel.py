"""The wheel, as a person gets it: built from the files of the checkout, installed elsewhere, and complete there."""

import hashlib
import json
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot import shipped

ROOT = Path(__file__).parent.parent
SHIPPED = [*(path.relative_to(ROOT).as_posix() for path in (ROOT / "prompts").iterdir())]
SHIPPED += [shipped.WORKFLOW, shipped.ISSUE_FORM]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

LOOK = """
import hashlib, json, sys
import bot, bot.shipped, runner
digests = {name: hashlib.sha256(bot.shipped.path(name).read_bytes()).hexdigest() for name in sys.argv[1:]}
where = {name: str(bot.shipped.path(name)) for name in sys.argv[1:]}
print(json.dumps({"bot": bot.__file__, "runner": runner.__file__, "digests": digests, "where": where}))
"""
# Imported at the start of every Python of the virtual environment, a training's too: who had what, and from where.
WITNESS = """
import atexit, os, sys

def tell():
    who = os.path.basename(sys.argv[0])
    with open({log!r}, "a") as log:
        for name in ("bot", "runner"):
            if name in sys.modules:
                log.write(f"{{who}} {{os.path.realpath(sys.modules[name].__file__)}}\\n")

atexit.register(tell)
"""


def run(*command: str | Path, folder: Path, environ: dict[str, str] | None = None) -> str:
    """Its output, from a folder in which no checkout is found."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TRAINWRIGHT_"))}
    done = subprocess.run(command, cwd=folder, env={**inherited, **(environ or {})}, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def files_of_the_checkout() -> list[str]:
    """What a commit of the working tree would hold: no build outputs, no caches."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", folder=ROOT)
    return sorted(name for name in set(listed.split("\0")) if name and (ROOT / name).is_file())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    for name in files_of_the_checkout():
        copy = folder / "source" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / name).read_bytes())
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", "dist", "./source", folder=folder)
    [built] = (folder / "dist").iterdir()
    return built


def test_it_holds_the_two_packages_with_their_data_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    ours = {name for name in files_of_the_checkout() if name.startswith(("bot/", "runner/"))}
    assert held == ours | {f"bot/_shipped/{name}" for name in SHIPPED}
    assert {
        "bot/local/templates/base.html",
        "bot/local/static/style.css",
        "bot/models/baseline/plan.md",
        "bot/models/baseline/train.py",
    } <= held


def test_prompts_workflow_and_issue_form_are_read_from_where_it_is_installed(wheel: Path, tmp_path: Path) -> None:
    there, elsewhere = tmp_path / "there", tmp_path / "elsewhere"
    elsewhere.mkdir()
    run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", there, wheel, folder=elsewhere)
    looked = run(*(sys.executable, "-P", "-c", LOOK, *SHIPPED), folder=elsewhere, environ={"PYTHONPATH": str(there)})
    found = json.loads(looked)
    places = [found["bot"], found["runner"], *found["where"].values()]
    assert [place for place in places if not place.startswith(f"{there}/")] == []
    digests = {name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest() for name in SHIPPED}
    assert found["digests"] == digests


@dataclass(frozen=True)
class Environment:
    """A virtual environment that has the wheel; all else it borrows from ours, but not the checkout."""

    folder: Path

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def packages(self) -> Path:
        return Path(sysconfig.get_path("purelib", vars={"base": str(self.folder)}))

    @property
    def witnessed(self) -> Path:
        return self.folder / "witnessed"


@pytest.fixture
def environment(wheel: Path, tmp_path: Path) -> Environment:
    made = Environment(tmp_path / "venv")
    run(sys.executable, "-m", "venv", "--without-pip", made.folder, folder=tmp_path)
    pip = (sys.executable, "-m", "pip", "--python", made.bin / "python")
    run(*pip, "install", "-q", "--no-deps", wheel, folder=tmp_path)
    # The folders that a .pth file names come after its own, and their .pth files, which lead to the checkout, are
    # not read.
    borrowed = dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib"))
    (made.packages / "witness.py").write_text(WITNESS.format(log=str(made.witnessed)))
    (made.packages / "borrowed.pth").write_text("\n".join([*borrowed, "import witness", ""]))
    return made


def test_the_demo_runs_from_it_and_so_do_its_trainings(environment: Environment, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = run(environment.bin / "python", "-P", "-c", "import sys; print(*sys.path, sep='\\n')", folder=elsewhere)
    assert str(ROOT) not in path.splitlines()
    lab = tmp_path / "lab"
    said = run(
        *(environment.bin / "trainwright", "demo", "--exit", "--runs", "1", "--seconds", "3", "--dir", lab),
        folder=elsewhere,
    )
    report = re.search(r"REPORT\.md: (.+)", said)
    assert report, said
    assert "val_bpb" in Path(report[1]).read_text()
    assert "merged" in said
    had = set(environment.witnessed.read_text().splitlines())
    bot, runner = (environment.packages.resolve() / name / "__init__.py" for name in ("bot", "runner"))
    assert had == {f"trainwright {bot}", f"trainwright {runner}", f"__main__.py {runner}", f"train.py {runner}"}
