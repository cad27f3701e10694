"""The import graph: arrows point one way, each SDK has one door, and the README's tree is the tree."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOORS = {
    "github": {"bot.wire"},
    "sqlalchemy": {"bot.ledger"},
    "matplotlib": {"bot.plots"},
    "openai": {"bot.models.openai"},
    "genai_prices": {"bot.models.openai"},
    "torch": {"runner.harness", "bot.models.baseline.train"},
}
WIRING = {"bot.cli", "bot.demo"}
"""Where the stand-in and the bot meet."""
SHARED_WITH_LOCAL = {"bot.errors", "bot.events", "bot.commands"}
PURE = [
    "experiment",
    "folder",
    "records",
    "documents",
    "comments",
    "desired",
    "pieces",
    "sanitise",
    "commands",
    "events",
    "prompts",
    "markdown",
    "facts",
    "outcome",
    "carry",
    "merge3",
    "artifact",
    "lab",
]
IMPURE = {
    "socket",
    "subprocess",
    "requests",
    "httpx2",
    "sqlite3",
    "threading",
    "time",
    "random",
    "os",
    "github",
    "uvicorn",
}


def sources() -> dict[str, Path]:
    found = {}
    for package in ("bot", "runner"):
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(path: Path) -> set[str]:
    """Every module that a file imports, functions included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {_module(node.module, alias.name) for alias in node.names}
    return found


def _module(package: str, name: str) -> str:
    """`from package import name` names a module of ours, or something in the package."""
    file = ROOT / package.replace(".", "/") / name
    return f"{package}.{name}" if file.with_suffix(".py").exists() or file.is_dir() else package


GRAPH = {name: imports(path) for name, path in sources().items()}
OURS = {name: {target for target in targets if target in GRAPH} for name, targets in GRAPH.items()}


@pytest.mark.parametrize("sdk", sorted(DOORS))
def test_each_sdk_has_one_door(sdk: str) -> None:
    users = {name for name, targets in GRAPH.items() if any(t.split(".")[0] == sdk for t in targets)}
    assert users == DOORS[sdk]


def test_there_is_no_cycle() -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " → ".join((*path, name))
        if name not in done:
            for target in OURS[name] - {name}:
                visit(target, (*path, name))
            done.add(name)

    for name in OURS:
        visit(name, ())


def test_the_runner_knows_nothing_of_the_bot() -> None:
    assert not [name for name in OURS if name.startswith("runner") for t in OURS[name] if t.startswith("bot")]


def test_the_bot_knows_only_the_runners_contract() -> None:
    known = {t for name in OURS if name.startswith("bot") for t in OURS[name] if t.startswith("runner")}
    assert known - {"runner.harness", "runner"} == {"runner.result"}
    users = {name for name in OURS if name.startswith("bot") and "runner.harness" in OURS[name]}
    assert users == {"bot.models.baseline.train"}  # the script that it writes, which is never imported


def test_the_stand_in_and_the_bot_do_not_know_each_other() -> None:
    for name, targets in OURS.items():
        local = {t for t in targets if t.startswith("bot.local")}
        if name.startswith("bot.local"):
            assert targets - local - {"bot"} <= SHARED_WITH_LOCAL, name
        elif name not in WIRING:
            assert not local, name


def test_only_the_settings_read_the_environment() -> None:
    readers = [
        name
        for name, path in sources().items()
        if name.startswith("bot")
        and not name.startswith("bot.local")
        and re.search(r"os\.(environ|getenv)", path.read_text())
    ]
    assert readers == ["bot.settings"]


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_touch_nothing(name: str) -> None:
    assert not {target.split(".")[0] for target in GRAPH[f"bot.{name}"]} & set(IMPURE)


def test_the_bot_imports_without_torch() -> None:
    assert not [name for name in OURS if "torch" in GRAPH[name] and name.startswith("bot") and "baseline" not in name]


def test_the_readme_names_every_module() -> None:
    readme = (ROOT / "README.md").read_text()
    tree = readme.partition("## The tree")[2]
    named = {
        path.name for path in sources().values() if path.parent.name in ("bot", "runner") and path.name != "__init__.py"
    }
    assert sorted(name for name in named if name not in tree) == []


def links() -> list[tuple[str, str]]:
    found = []
    for path in [ROOT / "README.md", *(ROOT / ".github").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)\)", path.read_text()):
            if "://" not in target:
                found.append((path.name, target))
    return found


@pytest.mark.parametrize(("page", "target"), links())
def test_links_lead_somewhere(page: str, target: str) -> None:
    folder = ROOT if page == "README.md" else ROOT / ".github"
    assert (folder / target).exists()
