from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.redact import Redactor, redact

# Put together here, so that no scanner takes this file for a leak.
SECRETS = [
    "ghp_" + "a1B2" * 9,
    "ghs_" + "12345_eyJhbGciOi.eyJpc3MiOi-"[6:] * 2 + "Zz9" * 6,
    "github_pat_" + "11AA_" * 8,
    "sk-" + "proj-a1B2c3" * 5,
    "AKIA" + "ABCDEFGH12345678",
    "hf_" + "aBcDeFgHiJ" * 4,
    "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA\n" * 9 + "-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_goes_and_its_neighbours_stay(secret: str) -> None:
    text = redact(f"loss 2.3 token={secret} step 4\nnext\n")
    assert "[redacted" in text
    assert all(part not in text for part in secret.split("\n"))
    assert text.startswith("loss 2.3 token=")
    assert text.endswith(" step 4\nnext\n")


@pytest.mark.parametrize(
    "harmless",
    [
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "task-sk-learn-and-other-words-of-a-name",
        "weights high ghost_writer hf_model",
        "-----BEGIN CERTIFICATE-----",
    ],
)
def test_what_is_no_secret_stays(harmless: str) -> None:
    assert redact(harmless) == harmless


def test_a_key_that_never_ends_does_not_swallow_the_log() -> None:
    text = redact("-----BEGIN PRIVATE KEY-----\n" + "step 1 loss 2\n" * 2000 + "the end")
    assert text.endswith("the end")
    assert len(text) > 15_000


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from([*SECRETS, "\n", "\r", " ", "loss 1.5", "gh", "-----BEGIN "])), st.integers(1, 50))
def test_chunks_make_no_difference(parts: list[str], size: int) -> None:
    data = "".join(parts).encode()
    redactor = Redactor()
    cut = b"".join(redactor.feed(data[at : at + size]) for at in range(0, len(data), size)) + redactor.finish()
    assert cut.decode() == redact(data.decode())


def test_an_endless_line_is_not_held_back_for_ever() -> None:
    redactor = Redactor()
    out = b"".join(redactor.feed(b"x" * 30_000 + b" ") for _ in range(10))
    assert len(out) > 200_000
