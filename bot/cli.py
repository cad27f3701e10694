"""trainwright demo | local | serve: the command line, and the one place where objects are wired together."""

import logging
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table

from bot import __version__
from bot.demo import IDEA, TITLE, LocalLab, News, Options, Reviewer, Watcher, saved_options
from bot.errors import TrainwrightError
from bot.facts import first_sentence, show, show_change
from bot.local.server import HOST
from bot.models.providers import opener
from bot.records import Record
from bot.server import Server, listen_on
from bot.settings import go_past_proxies, read_keys, read_settings

LOOK_EVERY = 0.5
PLAIN_LINE_EVERY = 5.0


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="trainwright")
@click.option("--verbose", is_flag=True, help="Log what the bot does.")
def main(verbose: bool) -> None:
    """Trainwright does the work of an ML engineer by pull request."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.ERROR, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("httpx2").setLevel(logging.WARNING)


_dir = click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the lab lives; a new folder if left out.",
)
_port = click.option("--port", default=0, show_default="a free one", help="Port of the pages.")
_seconds = click.option(
    "--seconds", default=20, show_default=True, type=click.IntRange(1), help="Time of one training."
)
_model = click.option(
    "--model",
    default="baseline",
    show_default=True,
    help="Who writes plans, code and analyses; openai/MODEL asks a language model.",
)


@main.command()
@click.option(
    "--runs", default=4, show_default=True, type=click.IntRange(1), help="How many runs the experiment may take."
)
@_seconds
@click.option(
    "--idea", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Your own idea, a Markdown file."
)
@click.option("--review", is_flag=True, help="You merge and close the pull requests yourself, in the browser.")
@click.option("--exit", "leave", is_flag=True, help="End when the experiment does, instead of keeping the pages up.")
@_model
@_dir
@_port
def demo(
    runs: int, seconds: int, idea: Path | None, review: bool, leave: bool, model: str, folder: Path | None, port: int
) -> None:
    """Take one experiment from an idea to a merged report, on this machine alone.

    Opens an issue on a stand-in for GitHub; the bot plans, writes train.py, trains it and opens pull requests, and the
    user `you` merges what improved and closes what did not. Ctrl-C ends it; started again on the same --dir it goes on.
    """
    console = Console()
    title, body = (_title(idea), idea.read_text()) if idea else (TITLE, IDEA)
    with _lab(folder, Options(runs, seconds, model), port, console) as lab:
        experiment = lab.open_experiment(title, body)
        console.print(f"The issue: {lab.url}/issues/{experiment}", soft_wrap=True)
        reviewer = None if review else Reviewer(lab.you)
        if reviewer:
            reviewer.start()
        try:
            paused = _watch(lab, experiment, console, review=review)
        finally:
            if reviewer:
                reviewer.stop()
        _tell_result(lab, experiment, console, paused)
        if not leave:
            _stay(lab, console)
    if paused:
        raise SystemExit(1)


@main.command()
@_seconds
@click.option(
    "--runs", default=10, show_default=True, type=click.IntRange(1), help="How many runs one experiment may take."
)
@_model
@_dir
@_port
def local(seconds: int, runs: int, model: str, folder: Path | None, port: int) -> None:
    """An empty lab on this machine, in which you open issues yourself."""
    console = Console()
    with _lab(folder, Options(runs, seconds, model), port, console) as lab:
        console.print(f"Open an experiment: {lab.url}/issues/new", soft_wrap=True)
        _stay(lab, console)


@main.command()
def serve() -> None:
    """Serve the labs in which your GitHub App is installed. Settings come from TRAINWRIGHT_… variables."""
    try:
        settings = read_settings()
        listener = listen_on(settings.host, settings.port)
        server = Server(settings, open_model=opener(settings), listen=listener)
    except (TrainwrightError, OSError) as error:
        raise click.ClickException(str(error)) from None
    server.start()
    click.echo(f"Listening on http://{settings.host}:{listener.getsockname()[1]}/webhook. Ctrl-C ends.")
    try:
        _wait_for_end()
    finally:
        server.stop()


@contextmanager
def _lab(folder: Path | None, options: Options, port: int, console: Console) -> Iterator[LocalLab]:
    """A running lab. Whatever ends the block, no process is left behind."""
    go_past_proxies(HOST)
    folder = folder or Path(tempfile.mkdtemp(prefix="trainwright-"))
    try:
        open_model = opener(read_keys())
        open_model(options.model)
        lab = LocalLab(folder, port=port, options=saved_options(folder, options), open_model=open_model)
    except (TrainwrightError, OSError) as error:
        raise click.ClickException(str(error)) from None
    _end_on_sigterm()
    try:
        lab.start()
        console.print(f"The lab:   {lab.url} (in {folder}; go on later with --dir {folder})", soft_wrap=True)
        yield lab
    except KeyboardInterrupt:
        console.print("Ending.")
        raise SystemExit(130) from None
    finally:
        lab.stop()


def _end_on_sigterm() -> None:
    def end(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)


def _title(idea: Path) -> str:
    first = next((line.strip("# \t") for line in idea.read_text().splitlines() if line.strip()), "")
    return first[:200] or idea.stem


def _watch(lab: LocalLab, experiment: int, console: Console, *, review: bool) -> str:
    """Show progress until the experiment is done or paused; the status comment when it is paused."""
    watcher, progress = Watcher(lab, experiment), Progress(console)
    with progress:
        while True:
            news = watcher.news()
            progress.show(news)
            if news.done or (news.paused and not review):
                return news.paused
            time.sleep(LOOK_EVERY)


class Progress:
    """Events as lines; what goes on now as a line that moves, or every few seconds where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = self._told = time.monotonic()
        self._spinner = Spinner("dots", text="planning")
        self._live = Live(self._spinner, console=console, refresh_per_second=8, transient=True)

    def __enter__(self) -> "Progress":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, news: News) -> None:
        for event in news.events:
            self._line(event)
        now = "paused: see the issue" if news.paused else news.live
        self._spinner.update(text=now)
        if not self._console.is_terminal and time.monotonic() >= self._told + PLAIN_LINE_EVERY:
            self._line(now)

    def _line(self, text: str) -> None:
        self._told = time.monotonic()
        seconds = int(self._told - self._started)
        line = f"{seconds // 60:02d}:{seconds % 60:02d}  {text}"
        self._console.print(line, soft_wrap=True, highlight=False, markup=False)


def _tell_result(lab: LocalLab, experiment: int, console: Console, paused: str) -> None:
    records = lab.records(experiment)
    if records:
        console.print(_table(records))
    if paused:
        console.print("The experiment is paused:\n", paused, highlight=False, markup=False)
        return
    _, documents = lab.check_out(experiment)
    for path in documents:
        console.print(f"{path.name}: {path}", soft_wrap=True)


def _table(records: list[Record]) -> Table:
    table = Table(title="Runs", title_justify="left")
    for column in ("run", "change", records[-1].metric.name, "Δ to best", "verdict"):
        table.add_column(column, overflow="fold")
    for record in records:
        conclusion, value = record.conclusion, record.value
        table.add_row(
            record.run,
            first_sentence(record.proposal.change),
            show(value) if value is not None else "–",
            show_change(value, conclusion.best_before) if conclusion and value is not None else "–",
            (conclusion.verdict.value if conclusion else "no result") + (", discarded" if record.discarded else ""),
        )
    return table


def _stay(lab: LocalLab, console: Console) -> None:
    console.print(f"The pages stay up at {lab.url} until Ctrl-C.", soft_wrap=True)
    _wait_for_end()


def _wait_for_end() -> None:
    ended = threading.Event()
    while not ended.wait(3600):
        pass
