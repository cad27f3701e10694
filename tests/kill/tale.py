"""A story whose bot is a process of its own, killed at a request; and the story that every one of them is to equal."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bot import shipped
from bot.local.rows import Delivery, Repository
from bot.local.server import HOST
from bot.server import listen_on
from tests.kill.knife import Choice, Knife, Place, nobody
from tests.kill.model import ModelServer, Script
from tests.kill.process import BotProcess
from tests.kill.trainings import CRASH, Trainings, train_py
from tests.story import LAB, PLAN, REPORT, REVISION, SECRET, SUMMARY, Story, analysis, code, repair

RUNS = 2

REPLIES = {
    "the plan": PLAN,
    "revise the plan": REVISION,
    "the code of run 1": code(train_py(CRASH)),
    "mend the code of run 1": repair(train_py("2.0")),
    "the code of run 2": code(train_py("2.5"), change="`WIDTH`: 16 → 32", task="Try a larger model"),
    "the summary of a training: Run 1": SUMMARY,
    "the summary of a training: Run 2": SUMMARY,
    "the analysis of run 1": analysis(finding="The first version learns."),
    "the analysis of run 2": analysis(tasks="done: Try another optimiser", finding="Larger is worse by 0.5."),
    "the report": REPORT,
}


class Tale(Story):
    """`ada` owns the lab; `begin` opens the experiment. Trainings end as `train.py` says, or are real ones."""

    def __init__(
        self,
        folder: Path,
        *,
        choice: Choice = nobody,
        place: Place = Place.BEFORE,
        script: Script = REPLIES.__getitem__,
        runs: int = RUNS,
        real: bool = False,
        lag: float = 0.0,
    ) -> None:
        """`lag` is how far GitHub's lists are behind, and the bot is told a time that is safe."""
        self.knife = Knife(self._kill, choice=choice, place=place)
        self.model = ModelServer(script, self.knife)
        self._trainings = None if real else Trainings(folder / "trainings", losses=("2.0", "2.5"))
        self._lag = lag
        super().__init__(folder, runs=runs, lag_seconds=1 + 6 * lag)

    # The bot

    def start_bot(self) -> None:
        """Called once, by the beginning of the story."""
        if self._trainings:
            self.ada.edit_file(shipped.WORKFLOW, self._trainings.workflow())
        # Bound and not listened on, it keeps the port free for the bot while that is dead.
        self._port = listen_on(HOST, 0)
        self.model.start()
        self.github.faults.lag = self._lag
        self.knife.lie_in(self.github.faults)
        self.bot = BotProcess(self._environment(), log=self.folder / "bot.log")
        self.bot.start()

    def stop_bot(self) -> None:
        self.bot.kill()
        self.model.stop()
        self._port.close()

    def _kill(self) -> None:
        """What GitHub has to tell before the bot is back is lost."""
        self.bot.kill()
        self.github.courier.wait_until_idle(1.0)
        self.bot.start()

    def _environment(self) -> dict[str, str]:
        port = self._port.getsockname()[1]
        url = f"http://{HOST}:{port}/webhook"
        app = self.github.create_app("trainwright", owner="ada", webhook_url=url, webhook_secret=SECRET)
        self.github.install(app.app_id, LAB)
        settings = {
            "app_id": app.app_id,
            "private_key": app.private_key,
            "webhook_secret": SECRET,
            "api_url": self.github.api_url,
            "database": self.database,
            "host": HOST,
            "port": port,
            "model": "openai/scripted",
            "openai_base_url": self.model.url,
            "pace": "false",
            "lag_seconds": self._lag_seconds,
        }
        # Nothing here is encrypted, and every call of the model would load the certificates anew.
        plain = {"NO_PROXY": HOST, "SSL_CERT_FILE": "", "SSL_CERT_DIR": str(self.folder)}
        return {**plain, **{f"TRAINWRIGHT_{name.upper()}": str(value) for name, value in settings.items()}}

    @property
    def repository(self) -> Repository:
        owner, _, name = LAB.partition("/")
        return self.github.hub.accounts.repository(owner, name)

    @property
    def database(self) -> str:
        return f"sqlite:///{self.folder / 'ledger.db'}"

    # What can be seen

    def wait(self, what: str, seen: Callable[[], Any], *, patience: float = 40.0) -> Any:
        told = -1

        def look() -> Any:
            nonlocal told
            assert not self.bot.died, self.bot.said()
            told, before = self.github.store.count(Delivery), told
            if self._trainings and told == before:
                return None  # GitHub has told nothing since: there is nothing new to be seen
            if self._trainings:
                self._let_go(self._trainings)
            return seen()

        return super().wait(what, look, patience=patience)

    def _let_go(self, trainings: Trainings) -> None:
        """A training ends once the bot has said that it is in progress: so it says that in every story."""
        for run in self.trainings():
            sha = run["display_title"].split()[2]
            if run["status"] == "in_progress" and any(c["status"] == "in_progress" for c in self.ada.checks(sha)):
                trainings.let_go(sha)

    def rest(self) -> None:
        """Until the bot has asked nothing for a while."""
        count = -1
        while count != (count := len(self.knife.requests)):
            time.sleep(0.3)


def from_idea_to_report(tale: Tale) -> None:
    """People act on what they see, so they act alike in every story: it is the same, whatever happens to the bot."""
    tale.begin()
    first = tale.concluded("1")["number"]
    tale.ada.comment(first, "/revise-plan Try optimisers before anything else.")
    tale.wait("revision", lambda: "The plan is revised" in tale.said(first))
    tale.ada.merge(tale.concluded("1")["number"], method="squash")
    tale.ada.close_pull(tale.concluded("2")["number"])
    tale.ada.merge(tale.opened("report")["number"])
    tale.wait("the last word", lambda: "✅ Done" in tale.status())
    tale.rest()
