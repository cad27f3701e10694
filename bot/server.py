"""The bot, running: the webhook's door, the controller behind it, and the sweep that heals what the door missed."""

import itertools
import logging
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import uvicorn

from bot.app import Health, create_app
from bot.asking import Asker
from bot.controller import Controller
from bot.errors import TrainwrightError
from bot.gateway import App
from bot.ledger import Ledger
from bot.models.model import Model
from bot.settings import Settings

log = logging.getLogger(__name__)

SETTLE = 1.0
"""Seconds from an event to the look: GitHub's lists follow its webhooks, and events come in bursts."""
BACKLOG = 2048
"""Connections that may wait: GitHub's bursts are larger than the usual 511."""


class Server:
    """`start` returns at once; `stop` waits for the looks under way and leaves nothing running."""

    def __init__(self, settings: Settings, *, open_model: Callable[[str], Model], listen: socket.socket) -> None:
        self._ledger = Ledger(settings.database)
        self._app = App(
            api_url=settings.api_url,
            app_id=settings.app_id,
            private_key=settings.private_key,
            pace=settings.pace,
            limited=settings.limit_seconds,
        )
        self.controller = Controller(
            self._app,
            self._ledger,
            Asker(self._ledger, open_model),
            default_model=settings.model,
            workers=settings.workers,
            lag=timedelta(seconds=settings.lag_seconds),
            settle=SETTLE if settings.pace else 0.0,
        )
        self._sweep_seconds = settings.sweep_seconds
        self._lag_seconds = settings.lag_seconds
        self._swept: float | None = None
        self._stopping = threading.Event()
        web = create_app(secret=settings.webhook_secret, notice=self.controller.notice, health=self._health)
        self._web = WebThread(web, listen)
        self._sweeper = threading.Thread(target=self._sweep, name="sweep", daemon=True)

    def start(self) -> None:
        self.controller.queue.start()
        self._web.start()
        self._sweeper.start()

    def stop(self) -> None:
        self._stopping.set()
        self._web.stop()
        self.controller.queue.stop(timeout=10)
        self._sweeper.join(timeout=10)
        self._app.close()
        self._ledger.close()

    def _sweep(self) -> None:
        """At the start, once more when the lists show what was missed at the start, then every so often: one failure
        of GitHub's must not end it."""
        pauses = itertools.chain([min(self._lag_seconds, self._sweep_seconds)], itertools.repeat(self._sweep_seconds))
        for pause in pauses:
            if self._stopping.is_set():
                return
            try:
                self.controller.sweep()
                self._swept = time.monotonic()
            except TrainwrightError as error:
                log.warning("the sweep failed: %s", error)
            self._stopping.wait(pause)

    def _health(self) -> Health:
        since = None if self._swept is None else time.monotonic() - self._swept
        healthy = since is None or since < 3 * self._sweep_seconds + 60
        return Health(healthy, self.controller.queue.depth(), since)


class WebThread:
    """uvicorn on a thread of its own, on a socket that is bound already: its port is known before it starts."""

    def __init__(self, app: object, listen: socket.socket) -> None:
        config = uvicorn.Config(app, log_level="warning", access_log=False, backlog=BACKLOG, lifespan="off")  # type: ignore[arg-type]
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listen],), name="web", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=5)


def listen_on(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one. Raises OSError when the port is taken."""
    # asyncio switches Nagle's delay off (40 ms an answer) only where the socket names its protocol.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener
