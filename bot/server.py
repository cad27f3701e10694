"""The bot, running: the webhook's door, the controller behind it, and the sweep that heals what the door missed."""

import logging
import socket
import threading
import time
from collections.abc import Callable

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
        )
        self.controller = Controller(
            self._app,
            self._ledger,
            Asker(self._ledger, open_model),
            default_model=settings.model,
            workers=settings.workers,
        )
        self._sweep_seconds = settings.sweep_seconds
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
        """Once at the start, then every so often: one failure of GitHub's must not end it."""
        while not self._stopping.is_set():
            try:
                self.controller.sweep()
                self._swept = time.monotonic()
            except TrainwrightError as error:
                log.warning("the sweep failed: %s", error)
            self._stopping.wait(self._sweep_seconds)

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
