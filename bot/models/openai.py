"""OpenAI's chat completions, and whatever speaks their dialect at another base URL.

The only importer of `openai` and of `genai_prices`. Half a second to import: `providers` does it on demand.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

import genai_prices
import httpx2
import openai
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletionChunk

from bot.errors import ModelError, SettingsError
from bot.models.model import Prompt, Reply, Usage

PROVIDER = "openai"
BASE_URL = "https://api.openai.com/v1"

_THOUGHTS = re.compile(r"\A\s*<think>.*?(?:</think>\s*|\Z)", re.DOTALL)
_KEY = "`TRAINWRIGHT_OPENAI_API_KEY` (or `OPENAI_API_KEY`)"
_URL = "`TRAINWRIGHT_OPENAI_BASE_URL` (or `OPENAI_BASE_URL`)"
_OTHER = "Configure another model"
_PASSING = {408, 409, 425, 429}
_STATUS = {"insufficient_quota": 402, "context_length_exceeded": 413}
"""OpenAI's codes, by the status that says the same: it sends them with 429 and 400."""
_MENDED_BY = {
    401: f"the key was refused. Set another {_KEY}, and start the bot again.",
    402: "there is no credit left. Add some to the account of the key.",
    404: f"not found. Check the model's name, and {_URL}.",
    413: f"the prompt is longer than what it can read. {_OTHER}.",
}


class Chat:
    """One streamed call per question. A server of one's own, given by `base_url`, may need no key."""

    def __init__(
        self, model: str, *, key: str, base_url: str, chunk_seconds: float = 120.0, call_seconds: float = 1200.0
    ) -> None:
        """Raises SettingsError when there is no key for OpenAI."""
        self.name = f"{PROVIDER}/{model}"
        if not key and not base_url:
            raise SettingsError(f"`{self.name}` needs a key. Set {_KEY} where the bot runs, and start it again.")
        self._model = model
        self._key = key or "no-key"  # the SDK insists on one
        self._base_url = base_url or BASE_URL
        self._chunk_seconds = chunk_seconds
        self._call_seconds = call_seconds

    def ask(self, prompt: Prompt) -> Reply:
        """Raises SettingsError for what a person must mend, ModelError for what may pass."""
        began = time.monotonic()
        try:
            answer = self._answer(prompt, until=began + self._call_seconds)
        except openai.APIError as error:
            raise self._translated(error) from error
        except (httpx2.HTTPError, ValueError) as error:  # while an error's body is read; JSON that is none
            raise ModelError(f"`{self.name}` gave no reply that can be read: {type(error).__name__}.") from error
        text = self._whole(answer)
        return Reply(text, self.name, self._usage(answer.usage), time.monotonic() - began)

    def _answer(self, prompt: Prompt, *, until: float) -> "_Answer":
        def limit(response: httpx2.Response) -> None:
            assert isinstance(response.stream, httpx2.SyncByteStream)
            response.stream = _Limited(response.stream, until)

        answer = _Answer()
        # A retry of the SDK's would pay for the same call again, unseen by the ledger.
        with openai.OpenAI(
            api_key=self._key,
            base_url=self._base_url,
            max_retries=0,
            timeout=self._chunk_seconds,
            http_client=openai.DefaultHttpxClient(event_hooks={"response": [limit]}),
        ) as client, client.chat.completions.create(
            model=self._model,
            messages=[{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
            stream=True,
            stream_options={"include_usage": True},
        ) as stream:  # fmt: skip
            for chunk in stream:
                answer.add(chunk)
        return answer

    def _whole(self, answer: "_Answer") -> str:
        if not answer.chunks:
            raise SettingsError(f"`{self.name}`: what answered does not stream chat completions. Check {_URL}.")
        if answer.refusal or answer.finish == "content_filter":
            why = self._said(answer.refusal) or "its content filter stopped the answer"
            raise SettingsError(f"`{self.name}` refused: {why}. {_OTHER}, or change the idea.")
        if answer.finish == "length":
            raise SettingsError(f"`{self.name}` came to its length limit before its answer was whole. {_OTHER}.")
        if not answer.finish:
            raise ModelError(f"`{self.name}` gave no whole reply: it broke off.")
        text = _THOUGHTS.sub("", answer.text)
        if not text.strip():
            raise SettingsError(f"`{self.name}` gave an empty answer. {_OTHER}.")
        return text

    def _translated(self, error: openai.APIError) -> SettingsError | ModelError:
        """An error in the midst of a stream has no status, but maybe one as its code."""
        code, said = error.code or "", self._said(error.message)
        status = error.status_code if isinstance(error, openai.APIStatusError) else int(code) if code.isdecimal() else 0
        status = _STATUS.get(code, status)
        if status == 401:
            return SettingsError(f"`{self.name}`: {_MENDED_BY[status]}")  # what it says may quote the key
        if status in _MENDED_BY:
            return SettingsError(f"`{self.name}`: {_MENDED_BY[status]} It said: {said}")
        if 400 <= status < 500 and status not in _PASSING:
            return SettingsError(f"`{self.name}` refused the request. {_OTHER}, or mend this: {said}")
        return ModelError(f"`{self.name}` gave no reply: {said}")

    def _said(self, text: str) -> str:
        """Foreign words, short, and never the key."""
        return " ".join(text.replace(self._key, "…").split())[:300]

    def _usage(self, used: CompletionUsage | None) -> Usage:
        """No price for a server of one's own: nobody knows it here."""
        if used is None:
            return Usage(dollars=None)
        details = used.prompt_tokens_details
        tokens = Usage(used.prompt_tokens or 0, (details and details.cached_tokens) or 0, used.completion_tokens or 0)
        return replace(tokens, dollars=dollars(self._model, tokens) if self._base_url == BASE_URL else None)


def dollars(model: str, tokens: Usage) -> Decimal | None:
    """What OpenAI takes for these tokens now; None when the price is unknown."""
    used = genai_prices.Usage(input_tokens=tokens.input, cache_read_tokens=tokens.cached, output_tokens=tokens.output)
    try:
        return genai_prices.calc_price(used, model, provider_id=PROVIDER).total_price
    except LookupError:
        return None


@dataclass
class _Answer:
    """What has come of an answer so far."""

    chunks: int = 0
    text: str = ""
    refusal: str = ""
    finish: str = ""
    usage: CompletionUsage | None = None

    def add(self, chunk: ChatCompletionChunk) -> None:
        """The SDK does not validate: null stands wherever a server left something out."""
        self.chunks += 1
        self.usage = chunk.usage or self.usage
        for choice in chunk.choices or ():
            self.finish = choice.finish_reason or self.finish
            if choice.delta:
                self.text += choice.delta.content or ""
                self.refusal += choice.delta.refusal or ""


class _Limited(httpx2.SyncByteStream):
    """A response's bytes until the call's time is over, be they only comments that keep the connection alive."""

    def __init__(self, stream: httpx2.SyncByteStream, until: float) -> None:
        self._stream = stream
        self._until = until

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            if time.monotonic() > self._until:
                raise httpx2.ReadTimeout("The call took too long.")
            yield chunk

    def close(self) -> None:
        self._stream.close()
