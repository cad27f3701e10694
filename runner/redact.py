"""Secrets that a training printed, taken out before anything is written.

Covered: GitHub tokens, `sk-…` provider keys, AWS key ids, Hugging Face tokens, private key blocks.
Not covered: passwords in URLs, JWTs, and secrets of no known form.
"""

from __future__ import annotations

import re

MAX_HELD = 64 * 1024  # bytes of an unfinished line that are held back before they are looked at as they are
MAX_KEY = 8 * 1024  # a private key block that has not ended by then is none

_MARKS = (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_", b"sk-", b"AKIA", b"ASIA", b"hf_")
_SECRET = re.compile(
    rb"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9_.-]{20,}|github_pat_[A-Za-z0-9_]{20,}|sk-(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{20,}"
    rb"|A[KS]IA[0-9A-Z]{16}(?![0-9A-Za-z])|hf_[A-Za-z0-9]{30,})"
)
_KEY_MARK = b"PRIVATE KEY-----"
_KEY_BEGIN = re.compile(rb"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----")
_KEY_END = re.compile(rb"-----END [A-Z ]{0,20}PRIVATE KEY-----")
_NO_TOKEN = re.compile(rb"[^A-Za-z0-9_.-]")


class Redactor:
    """Bytes in, the same bytes without secrets out, however they are cut into chunks."""

    def __init__(self) -> None:
        self._held = b""
        self._key_left = 0  # bytes that an open private key block may still swallow

    def feed(self, data: bytes) -> bytes:
        data = self._held + data
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if len(data) - end > MAX_HELD:
            end = _last_gap(data)
        self._held = data[end:]
        return self._scrub(data[:end])

    def finish(self) -> bytes:
        held, self._held = self._held, b""
        return self._scrub(held)

    def _scrub(self, block: bytes) -> bytes:
        if self._key_left or _KEY_MARK in block:
            block = self._without_keys(block)
        if any(mark in block for mark in _MARKS):
            block = _SECRET.sub(_mask, block)
        return block

    def _without_keys(self, block: bytes) -> bytes:
        kept = b""
        while block:
            if self._key_left:
                end = _KEY_END.search(block, 0, self._key_left)
                swallowed = end.end() if end else min(len(block), self._key_left)
                self._key_left = 0 if end else self._key_left - swallowed
                block = block[swallowed:]
            elif begin := _KEY_BEGIN.search(block):
                kept += block[: begin.start()] + b"[redacted private key]"
                block, self._key_left = block[begin.end() :], MAX_KEY
            else:
                return kept + block
        return kept


def redact(text: str) -> str:
    redactor = Redactor()
    data = text.encode(errors="replace")
    return (redactor.feed(data) + redactor.finish()).decode(errors="replace")


def _mask(secret: re.Match[bytes]) -> bytes:
    return b"[redacted " + secret[0][:4].rstrip(b"_-") + b"]"


def _last_gap(data: bytes) -> int:
    """Where an endless line can be cut without cutting a token."""
    for gap in range(len(data) - 1, len(data) - MAX_HELD, -1):
        if _NO_TOKEN.match(data, gap):
            return gap + 1
    return len(data)
