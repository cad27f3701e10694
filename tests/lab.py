"""A lab on this machine and the bot's door to it, without the bot: for tests of what stands right behind the door."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.gateway import App, Gateway
from bot.local.faults import Answer, Call
from bot.local.people import Person
from bot.local.rows import Token
from bot.local.server import LocalGitHub
from tests.story import LAB

WORKFLOW = """
name: Train
run-name: "Train #${{ inputs.pr }} ${{ inputs.sha }} ${{ inputs.request }}"
on:
  workflow_dispatch:
    inputs:
      pr: {required: true, type: string}
      sha: {required: true, type: string}
      request: {required: true, type: string}
      command: {required: true, type: string}
jobs:
  train:
    runs-on: self-hosted
    steps:
      - env:
          COMMAND: ${{ inputs.command }}
          OUT: ${{ runner.temp }}/out
        shell: bash
        run: mkdir -p "$OUT" && cd "$OUT" && eval "$COMMAND"
      - if: always()
        uses: actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02
        with:
          name: result-${{ github.run_attempt }}
          path: ${{ runner.temp }}/out
"""
"""A training is whatever `command` does; what it leaves behind is the artifact."""


class Lab:
    """`ada` owns it; the app `trainwright` is installed."""

    def __init__(self, folder: Path, *, workflow: str = WORKFLOW) -> None:
        self.github = LocalGitHub(folder, plan=lambda delivery: ())
        self.github.start()
        self.github.create_user("ada")
        files = {"README.md": b"A lab.\n", ".github/workflows/train.yml": workflow.encode()}
        self.github.create_repo(LAB, files={path: text for path, text in files.items() if text})
        self.key = self.github.create_app(
            "trainwright", owner="ada", webhook_url="http://127.0.0.1:9/", webhook_secret="x"
        )
        self.github.install(self.key.app_id, LAB)
        self.app = App(
            api_url=self.github.api_url, app_id=str(self.key.app_id), private_key=self.key.private_key, pace=False
        )
        self.gateway: Gateway = self.app.gateway(LAB)
        self.ada = self.github.person("ada", LAB)
        self._people = [self.ada]

    def person(self, login: str, *, role: str) -> Person:
        person = self.github.person(login, LAB)
        self.github.set_permission(LAB, login, role)
        self._people.append(person)
        return person

    def issue(self, *labels: str, title: str = "Fit it", by: Person | None = None) -> int:
        return int((by or self.ada).open_issue(title, "Does it fit?", labels=labels)["number"])

    def branch(self, name: str, files: dict[str, str]) -> str:
        """A branch with one commit on main."""
        main = self.gateway.head("main")
        assert main
        sha = self.commit(main, files)
        self.gateway.create_branch(name, sha)
        return sha

    def commit(self, parent: str, files: Mapping[str, str | bytes | None]) -> str:
        """On no branch yet."""
        return self.gateway.commit(parents=[parent], base=parent, files=files, message="Work")

    def push(self, files: dict[str, str]) -> None:
        """A commit on main."""
        for path, text in files.items():
            self.ada.edit_file(path, text)

    def run(self, number: int) -> dict[str, Any]:
        """A workflow run, once it has ended."""
        while True:
            found: dict[str, Any] = next(run for run in self.ada.runs() if run["id"] == number)
            if found["status"] == "completed":
                return found
            time.sleep(0.02)

    # What the bot asks, and what it is answered

    @contextmanager
    def calls(self) -> Iterator[list[Call]]:
        """What the bot asks meanwhile."""
        faults = self.github.faults
        faults.calls, faults.record = [], True
        try:
            yield faults.calls
        finally:
            faults.record = False

    @contextmanager
    def answering(self, path: str, *answers: Answer) -> Iterator[None]:
        """Calls of paths like this are answered so, one after the other; then as always."""
        left = list(answers)

        def instead(call: Call) -> None:
            if left and re.search(path, f"{call.method} {call.path}"):
                raise left.pop(0)

        with self.before(instead):
            yield
        assert not left, f"nobody asked for {path}"

    @contextmanager
    def before(self, hook: Callable[[Call], None]) -> Iterator[None]:
        """The hook is told of every call of the bot, before anything happens."""
        self.github.faults.before = hook
        try:
            yield
        finally:
            self.github.faults.before = None

    def revoke_tokens(self) -> None:
        store = self.github.store
        for token in store.all(Token):
            if token.installation_id is not None:
                store.save(replace(token, expires_at=store.now()))

    def end(self) -> None:
        for person in self._people:
            person.close()
        self.app.close()
        self.github.stop()


def json_answer(text: str, status: int = 200) -> Answer:
    return Answer(status, text, {"Content-Type": "application/json; charset=utf-8"})


def paths(calls: Sequence[Call], method: str = "GET") -> list[str]:
    """Without the part that all of a lab's have in common."""
    return [call.path.removeprefix(f"/repos/{LAB}") for call in calls if call.method == method]
