"""The web server: a delivery is verified, noticed and answered at once; whatever it leads to happens elsewhere."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass

from fastapi import FastAPI, Request
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse, Response

from bot import events
from bot.errors import PayloadError, SignatureError
from bot.events import Event

MAX_BODY = 25 * 1024 * 1024
"""GitHub delivers nothing larger."""


@dataclass(frozen=True)
class Health:
    """How the bot is, as /health and /metrics tell it. `seconds_since_sweep` is None before the first sweep."""

    healthy: bool
    queue_depth: int
    seconds_since_sweep: float | None


def create_app(*, secret: str, notice: Callable[[Event], None], health: Callable[[], Health]) -> FastAPI:
    """`notice` and `health` are called on the server's own thread: they must return at once."""
    app = FastAPI(title="Trainwright", docs_url=None, redoc_url=None, openapi_url=None)
    deliveries: Counter[tuple[str, str]] = Counter()

    @app.post("/webhook")
    async def webhook(request: Request) -> Response:
        answer, kind, outcome = await _receive(request, secret=secret, notice=notice)
        deliveries[kind, outcome] += 1
        return answer

    @app.get("/health")
    async def tell_health() -> Response:
        now = health()
        return JSONResponse(asdict(now), status_code=200 if now.healthy else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        return PlainTextResponse(_metrics(health(), deliveries), media_type="text/plain; version=0.0.4")

    return app


_Received = tuple[Response, str, str]


async def _receive(request: Request, *, secret: str, notice: Callable[[Event], None]) -> _Received:
    """The answer, and the delivery's kind and outcome for the metrics."""
    body = await _body(request)
    if body is None:
        return _refused(413, "too large", f"A delivery has at most {MAX_BODY} bytes.")
    try:
        events.verify(secret, body, request.headers.get("X-Hub-Signature-256"))
        if not _is_json(request):
            return _refused(415, "not JSON", "Set the webhook's content type to application/json.")
        event = events.parse(
            kind=request.headers.get("X-GitHub-Event", ""),
            guid=request.headers.get("X-GitHub-Delivery", ""),
            body=body,
        )
    except SignatureError as error:
        return _refused(401, "not signed", str(error))
    except PayloadError as error:
        return _refused(400, "not understood", str(error))
    if event.kind == "ping":
        return PlainTextResponse("pong\n"), event.kind, "accepted"
    notice(event)
    return PlainTextResponse("noticed\n", status_code=202), event.kind, "accepted"


def _refused(status: int, outcome: str, reason: str) -> _Received:
    """The kind that a refused delivery claims is not repeated: anyone may send anything."""
    return PlainTextResponse(reason + "\n", status_code=status), "", outcome


async def _body(request: Request) -> bytes | None:
    """None when it is too large, found out without keeping it."""
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_BODY:
                return None
            chunks.append(chunk)
    except ClientDisconnect:
        return b""  # nobody is left to be answered: what follows refuses it as not signed
    return b"".join(chunks)


def _is_json(request: Request) -> bool:
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower() == "application/json"


def _metrics(health: Health, deliveries: Counter[tuple[str, str]]) -> str:
    """Prometheus's text format. All labels are words of ours or checked by `events.parse`."""
    lines = ["# TYPE trainwright_deliveries_total counter"]
    lines += [
        f'trainwright_deliveries_total{{kind="{kind}",outcome="{outcome}"}} {count}'
        for (kind, outcome), count in sorted(deliveries.items())
    ]
    lines += ["# TYPE trainwright_healthy gauge", f"trainwright_healthy {int(health.healthy)}"]
    lines += ["# TYPE trainwright_queue_depth gauge", f"trainwright_queue_depth {health.queue_depth}"]
    if health.seconds_since_sweep is not None:
        lines += ["# TYPE trainwright_seconds_since_sweep gauge"]
        lines += [f"trainwright_seconds_since_sweep {health.seconds_since_sweep:.3f}"]
    return "\n".join(lines) + "\n"
