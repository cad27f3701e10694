"""The gate: each call of an app passes it on its way in and out, and meets its faults there."""

from collections.abc import Callable
from dataclasses import replace

import anyio
from anyio.to_thread import run_sync
from fastapi import Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.local.faults import Answer, Call, Cut, Faults, Hook

API = "/api/"
MOST_HOOKS = 1000
"""At the same time. They have threads of their own: a hook may wait for a call that needs one of the server's."""


class Gate:
    """`app_of` names the app that a token belongs to, or nothing; `hang_up` closes a call's connection."""

    def __init__(
        self, app: ASGIApp, *, faults: Faults, app_of: Callable[[str], str], hang_up: Callable[[Scope], None]
    ) -> None:
        self._app = app
        self._faults = faults
        self._app_of = app_of
        self._hang_up = hang_up
        self._threads = anyio.CapacityLimiter(MOST_HOOKS)
        self._apps: dict[str, str] = {}
        """By token; empty for a person's."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        slug = await self._caller(scope)
        if not slug:
            await self._app(scope, receive, send)
            return
        inside = await _read_whole(receive)
        call = self._faults.call(scope["method"], _path(scope), slug)
        try:
            answer = await self._pass(call, scope, inside)
        except Cut:
            self._faults.note(call, 0)
            await self._cut(scope, receive)
            return
        except Exception:  # a mistake in a hook or in the stand-in: uvicorn answers 500 and says why on standard error
            self._faults.note(call, 500)
            raise
        self._faults.note(call, answer.status)
        await answer.send(send)

    async def _pass(self, call: Call, scope: Scope, receive: Receive) -> "Kept":
        try:
            await self._strike(self._faults.strike_before, call, hook=self._faults.before)
            answer = Kept()
            await self._app(scope, receive, answer.keep)
            done = replace(call, status=answer.status)
            await self._strike(self._faults.strike_after, done, hook=self._faults.after)
        except Answer as instead:
            answer = Kept()
            response = Response(instead.body, instead.status, instead.headers)
            await response(scope, receive, answer.keep)
        return answer

    async def _caller(self, scope: Scope) -> str:
        if scope["type"] != "http" or not scope["path"].startswith(API):
            return ""
        token = Headers(scope=scope).get("authorization", "").partition(" ")[2].strip()
        if token and token not in self._apps:
            self._apps[token] = await run_sync(self._app_of, token, limiter=self._threads)
        return self._apps.get(token, "")

    async def _strike(self, strike: Callable[[Call], None], call: Call, *, hook: Hook | None) -> None:
        """A hook that still waits when the server stops is left behind."""
        if hook:
            await run_sync(strike, call, limiter=self._threads, abandon_on_cancel=True)
        else:
            strike(call)

    async def _cut(self, scope: Scope, receive: Receive) -> None:
        """Until the server has noticed, for it answers 500 to what ends without an answer on an open line."""
        self._hang_up(scope)
        while (await receive())["type"] != "http.disconnect":
            pass


class Kept:
    """An answer that is not sent yet."""

    def __init__(self) -> None:
        self._messages: list[Message] = []

    @property
    def status(self) -> int:
        return int(self._messages[0]["status"]) if self._messages else 0

    async def keep(self, message: Message) -> None:
        self._messages.append(message)

    async def send(self, send: Send) -> None:
        for message in self._messages:
            await send(message)


async def _read_whole(receive: Receive) -> Receive:
    """What the call says, read to its end, to be read once more."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _path(scope: Scope) -> str:
    path = scope["path"].removeprefix("/api/v3").removeprefix("/api")
    query = scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else str(path)
