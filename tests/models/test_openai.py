"""The door to chat completions, through a real server on this machine that streams the dialect, and its faults."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bot.errors import ModelError, SettingsError
from bot.models.model import Model, Prompt, Role, Usage
from bot.models.openai import Chat, dollars

KEY = "sk-very-secret"
PROMPT = Prompt(Role.PLANNER, "You plan.", "The idea is this.")
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 64},
}
DONE = b"data: [DONE]\n\n"


def event(**values: Any) -> bytes:
    chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o", "choices": []}
    return b"data: " + json.dumps(chunk | values).encode() + b"\n\n"


def part(text: str | None = None, *, finish: str | None = None, **delta: str) -> bytes:
    return event(choices=[{"index": 0, "delta": {"content": text, **delta}, "finish_reason": finish}])


def streamed(*texts: str, finish: str | None = "stop", usage: dict[str, Any] | None = USAGE) -> bytes:
    return b"".join([*map(part, texts), part(finish=finish), event(usage=usage), DONE])


@dataclass(frozen=True)
class Answer:
    """`missing` bytes are promised and never sent; `then` goes on after the body, over and over, until the end."""

    body: bytes = b""
    status: int = 200
    kind: str = "text/event-stream"
    missing: int = 0
    then: bytes | None = None


def refused(status: int, message: str, *, code: str | None = None) -> Answer:
    error = {"message": message, "type": code, "code": code}
    return Answer(json.dumps({"error": error}).encode(), status, "application/json")


class Server(ThreadingHTTPServer):
    """Gives the same answer to everybody, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = Answer()
        self.asked: list[dict[str, Any]] = []
        self.ended = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked = {"path": self.path, "authorization": self.headers["Authorization"], **json.loads(body)}
        self.server.asked.append(asked)
        answer = self.server.answer
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Connection", "close")
        if answer.then is None:
            self.send_header("Content-Length", str(len(answer.body) + answer.missing))
        self.end_headers()
        try:
            self._send(answer)
        except OSError:
            self.close_connection = True  # the other side has had enough

    def _send(self, answer: Answer) -> None:
        self.wfile.write(answer.body)
        while answer.then is not None and not self.server.ended.wait(0.02):
            self.wfile.write(answer.then)
            self.wfile.flush()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 (its name in the base class)
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.ended.set()
    server.shutdown()
    thread.join()
    server.server_close()


def chat(server: Server, **seconds: float) -> Chat:
    return Chat("gpt-4o", key=KEY, base_url=server.url, **seconds)


def test_a_question_and_its_answer(server: Server) -> None:
    server.answer = Answer(streamed("## Plan\n", "Fit it."))
    model: Model = chat(server)
    reply = model.ask(PROMPT)
    assert (reply.text, reply.model, reply.usage) == ("## Plan\nFit it.", "openai/gpt-4o", Usage(100, 64, 20, None))
    assert reply.seconds > 0
    assert server.asked == [
        {
            "path": "/v1/chat/completions",
            "authorization": f"Bearer {KEY}",
            "model": "gpt-4o",
            "messages": [
                {"role": "system", "content": "You plan."},
                {"role": "user", "content": "The idea is this."},
            ],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ]


@pytest.mark.parametrize(
    ("texts", "text"),
    [
        (("<thi", "nk>Let me see: `</", "think>\n\n", "## Plan"), "## Plan"),
        (("\n<think></think>A",), "A"),
        (("A <think>B</think>",), "A <think>B</think>"),
    ],
)
def test_thoughts_at_the_start_are_dropped(server: Server, texts: tuple[str, ...], text: str) -> None:
    server.answer = Answer(streamed(*texts))
    assert chat(server).ask(PROMPT).text == text


def test_reasoning_beside_the_answer_and_comments_do_not_matter(server: Server) -> None:
    reasoning = part(reasoning_content="Let me see.")
    server.answer = Answer(b": OPENROUTER PROCESSING\n\n" + reasoning + streamed("A"))
    assert chat(server).ask(PROMPT).text == "A"


def test_who_leaves_out_what_the_dialect_has_is_understood(server: Server) -> None:
    bare = [{}, {"choices": [{}]}, {"choices": [{"delta": {"content": "A"}, "finish_reason": "stop"}]}]
    server.answer = Answer(b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in bare))
    reply = chat(server).ask(PROMPT)
    assert (reply.text, reply.usage) == ("A", Usage(dollars=None))


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": None, "completion_tokens": 3}])
def test_tokens_that_are_not_told_are_none(server: Server, usage: dict[str, Any] | None) -> None:
    server.answer = Answer(streamed("A", usage=usage))
    assert chat(server).ask(PROMPT).usage == Usage(0, 0, 3 if usage else 0, None)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (refused(401, f"Incorrect API key provided: {KEY}.", code="invalid_api_key"), "key was refused. Set another"),
        (refused(404, "The model `gpt-4o` does not exist", code="model_not_found"), "not found. Check the model's"),
        (refused(429, "You exceeded your quota", code="insufficient_quota"), "there is no credit left. Add some"),
        (refused(402, "Insufficient Balance"), "there is no credit left. Add some"),
        (refused(400, "128001 tokens", code="context_length_exceeded"), "prompt is longer than .* said: .*128001"),
        (refused(403, f"Country not supported for {KEY}"), "refused the request. .* mend this: .*Country .* for …"),
        (refused(400, "stream_options: extra field"), "refused the request. .* mend this: .*stream_options"),
        (Answer(b"<h1>Hello</h1>", kind="text/html"), "does not stream chat completions. Check .*BASE_URL"),
        (Answer(streamed("", finish="stop")), "gave an empty answer. Configure another model"),
        (Answer(streamed("<think>I never come to an end")), "gave an empty answer"),
        (Answer(streamed("Half of", finish="length")), "came to its length limit"),
        (Answer(streamed("Half of", finish="content_filter")), "refused: its content filter stopped the answer"),
        (Answer(part(refusal="I will") + part(refusal=" not.") + streamed()), "refused: I will not.. Configure"),
        (Answer(part("A") + b'data: {"error": {"message": "too poor", "code": 402}}\n\n'), "no credit .* too poor"),
    ],
)
def test_what_a_person_must_mend_is_named(server: Server, answer: Answer, complaint: str) -> None:
    server.answer = answer
    with pytest.raises(SettingsError, match=f"^`openai/gpt-4o`.*{complaint}") as error:
        chat(server).ask(PROMPT)
    assert KEY not in str(error.value)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        refused(429, "Rate limit reached", code="rate_limit_exceeded"),
        refused(500, "The server had an error"),
        Answer(b"Bad gateway", 502, "text/html"),
        refused(503, "Overloaded"),
        Answer(part("A") + b'data: {"error": {"message": "Overloaded", "code": "server_error"}}\n\n'),
        Answer(part("A") + b'data: {"error": "Overloaded"}\n\n'),
        Answer(part("A") + b"data: {]\n\n"),
        Answer(part("A"), missing=100),
        Answer(b"Bad", 500, missing=100),
        Answer(part("A")),
    ],
)
def test_passing_trouble_is_told_and_not_repeated(server: Server, answer: Answer) -> None:
    """Who asks again is the queue: each call is in the ledger."""
    server.answer = answer
    with pytest.raises(ModelError, match=r"^`openai/gpt-4o` gave no "):
        chat(server).ask(PROMPT)
    assert len(server.asked) == 1


def test_a_server_that_is_not_there_is_passing_trouble() -> None:
    with pytest.raises(ModelError, match="Connection error"):
        Chat("gpt-4o", key=KEY, base_url="http://127.0.0.1:1/v1").ask(PROMPT)


@pytest.mark.parametrize(
    ("then", "seconds"),
    [
        (b"", {"chunk_seconds": 0.2}),
        (b": still there\n\n", {"call_seconds": 0.2}),
        (part("A"), {"call_seconds": 0.2}),
    ],
)
def test_silence_and_an_answer_without_end_are_left(server: Server, then: bytes, seconds: dict[str, float]) -> None:
    server.answer = Answer(part("A"), then=then)
    with pytest.raises(ModelError, match="timed out"):
        chat(server, **seconds).ask(PROMPT)


def test_a_server_of_ones_own_needs_no_key(server: Server) -> None:
    server.answer = Answer(streamed("A"))
    assert Chat("qwen3", key="", base_url=server.url).ask(PROMPT).text == "A"


def test_openai_needs_a_key() -> None:
    with pytest.raises(SettingsError, match=r"^`openai/gpt-4o` needs a key\. Set `TRAINWRIGHT_OPENAI_API_KEY` \(or "):
        Chat("gpt-4o", key="", base_url="")


def test_a_price_counts_cached_tokens_less_and_may_be_unknown() -> None:
    fresh, cached = dollars("gpt-4o", Usage(1000, 0, 100)), dollars("gpt-4o", Usage(1000, 500, 100))
    assert fresh is not None
    assert cached is not None
    assert 0 < cached < fresh
    assert dollars("a-model-that-nobody-knows", Usage(1000, 0, 100)) is None
