"""The courier: takes each delivery to its app's webhook, signed, one after the other, and writes down what came back.

The log of deliveries in the store is its queue: what was not tried before a stop goes out after the next start.
"""

import ipaddress
import sqlite3
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from urllib.parse import urlsplit

import httpx2

from bot.events import sign
from bot.local.faults import Faults
from bot.local.postbag import Postbag, Trip
from bot.local.rows import App, Delivery
from bot.local.store import Store

TIMEOUT = 10.0
"""Seconds that GitHub waits for a webhook's answer."""

Plan = Callable[[Delivery], Iterable[Delivery]]


def as_it_comes(delivery: Delivery) -> Iterable[Delivery]:
    return (delivery,)


class Courier:
    """`faults` say when a delivery sets out; `plan`, what becomes of it then: itself, twice, another, or nothing."""

    def __init__(self, store: Store, *, plan: Plan = as_it_comes, faults: Faults | None = None) -> None:
        self._store = store
        self.plan = plan
        self._bag = Postbag(faults or Faults())
        self._client = httpx2.Client(timeout=TIMEOUT, trust_env=False)
        self._turn = threading.Lock()
        self._wake = threading.Event()
        self._idle = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="courier", daemon=True)

    def start(self) -> None:
        self._wake.set()
        self._thread.start()

    def stop(self, *, patience: float = 2.0) -> None:
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(patience)
        self._client.close()

    def post(self, delivery: Delivery) -> Delivery:
        """Into the log, and on its way as soon as the transaction around it is committed."""
        kept = self._store.add(delivery)
        with self._turn:
            self._idle.clear()
            self._wake.set()
        return kept

    def send(self, delivery: Delivery) -> Delivery:
        """At once, and again if it has been sent before: a redelivery keeps its GUID."""
        status, error = self._try(delivery)
        tried = self._store.get(Delivery, id=delivery.id).attempts + 1
        return self._store.save(replace(delivery, attempts=tried, status_code=status, error=error))

    def wait_until_idle(self, timeout: float = 10.0) -> bool:
        """Whether every delivery so far has had its turn."""
        return self._idle.wait(timeout)

    def _work(self) -> None:
        try:
            self._deliver()
        except sqlite3.ProgrammingError:
            # The store was closed while a receiver kept us waiting.
            if not self._stopping:
                raise

    def _deliver(self) -> None:
        while not self._stopping:
            self._wake.wait(self._bag.patience())
            self._wake.clear()
            self._collect()
            for trip in self._bag.due():
                if self._stopping:
                    return
                self._take(trip)
            with self._turn:
                if not self._wake.is_set() and not self._bag:
                    self._idle.set()

    def _collect(self) -> None:
        for delivery in self._store.all(Delivery, status_code=None):
            if delivery not in self._bag and not self._bag.put(delivery):
                self._lose(delivery)

    def _take(self, trip: Trip) -> None:
        if trip.is_copy:
            self.send(trip.delivery)
            return
        for copy in self.plan(trip.delivery):
            self.send(copy)
        if self._store.get(Delivery, id=trip.delivery.id).status_code is None:
            self._lose(trip.delivery)

    def _lose(self, delivery: Delivery) -> None:
        self._store.save(replace(delivery, status_code=0, error="held back or lost on the way"))

    def _try(self, delivery: Delivery) -> tuple[int, str]:
        app = self._store.get(App, id=delivery.app_id)
        if not is_loopback(app.webhook_url):
            return 0, f"{app.webhook_url} is not on this machine: the stand-in delivers to the loopback address only."
        body = delivery.payload.encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/trainwright",
            "X-GitHub-Event": delivery.event,
            "X-GitHub-Delivery": delivery.guid,
            "X-GitHub-Hook-ID": str(app.id),
            "X-GitHub-Hook-Installation-Target-Type": "integration",
            "X-GitHub-Hook-Installation-Target-ID": str(app.id),
            "X-Hub-Signature-256": sign(app.webhook_secret, body),
        }
        try:
            answer = self._client.post(app.webhook_url, content=body, headers=headers)
        except httpx2.HTTPError as error:
            return 0, str(error) or type(error).__name__
        return answer.status_code, "" if answer.is_success else answer.text[:1000]


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
