"""The one family of experiments that baseline can do, and how it tells from an idea's words that it is meant. Pure."""

import re

_MAX_IDEA = 20_000
NAME = (
    "byte-level language models on the source of Python's standard library, judged by bits per byte on held-out files"
)
METRIC = "val_bpb"
HOW_TO_CONFIGURE = (
    "A language model, which can do more, is configured in `.github/trainwright.yml` with `models: provider/name`."
)

_NEEDED = (
    (
        r"\b(byte|character|char)s?[- ]?(level )?(language )?model|\bbyte[- ]level\b.{0,200}\blanguage model",
        "a byte-level language model",
    ),
    (r"\bstandard library|\bstdlib\b|\bpython('s)?( own)? source", "the source of Python's standard library as data"),
    (r"\bbits[- ]per[- ]byte|\bval_bpb\b|\bbpb\b|\bcompress", "bits per byte as the measure"),
)
_ELSEWHERE = re.compile(
    r"\b(image|video|audio|speech|vision|photo|classif\w*|sentiment|translat\w*|summari[sz]\w*|chat\w*|robot\w*"
    r"|reinforcement|protein|molecul\w*|tabular|time series|forecast\w*|regression|recommend\w*|retriev\w*|graph neural"
    r"|diffusion|mamba|state[- ]space|mixture[- ]of[- ]experts|moe|lstm|wavenet|hyena|rwkv|bert|gpt-?\d\w*|llama\w*"
    r"|pre-?trained|fine-?tun\w*|distil\w*|tokeni[sz]\w*|bpe|sentencepiece|wordpiece|word[- ]level|subword\w*"
    r"|wikipedia|wikitext\w*|enwik\w*|shakespeare|gutenberg|the pile|tinystories|imagenet|cifar\w*|mnist"
    r"|quanti[sz]\w*|prun(e|ing)|sparsity|federated)\b",
    re.IGNORECASE,
)
_DENIED = re.compile(r"\b(?:no|not|without|neither|instead of|rather than)(?: an?| any| the)? [\w-]+", re.IGNORECASE)

_FORBIDS = re.compile(r"\b(?:do not|don't|never|must not|instead)\b", re.IGNORECASE)


def outside(title: str, idea: str) -> str:
    """Why an idea is not of this family, as a sentence; nothing when it is."""
    visible = re.sub(r"<!--.*?(-->|\Z)", " ", f"{title}\n{idea}"[:_MAX_IDEA], flags=re.DOTALL)
    text = " ".join(visible.split())
    wanted = " ".join(sentence for sentence in re.split(r"(?<=[.!?]) ", text) if not _FORBIDS.search(sentence))
    missing = [what for pattern, what in _NEEDED if not re.search(pattern, wanted, re.IGNORECASE)]
    if missing:
        return f"The idea does not ask for {_listed(missing)}."
    other = _ELSEWHERE.search(_DENIED.sub(" ", text))
    if other:
        return f"The idea speaks of “{other[0]}”, which the family does not have."
    metric = _metric(idea)
    if metric and not _is_ours(metric):
        return f"The idea names another primary metric, “{metric}”."
    return ""


def cannot(why: str) -> str:
    """The reason below `## Cannot`."""
    me = f"I am `baseline`, no language model: by rule I search one family of experiments, {NAME}."
    return f"{why} {me} {HOW_TO_CONFIGURE}"


def _metric(idea: str) -> str:
    """What stands below a heading `Primary metric`, or after `Metric:`."""
    below = re.search(r"^#+ *(?:primary )?metric *\n+(?!#)(.+)", idea, re.IGNORECASE | re.MULTILINE)
    beside = re.search(r"^[*_ -]*(?:primary )?metric[*_]*: *(.+)", idea, re.IGNORECASE | re.MULTILINE)
    found = below or beside
    text = found[1].strip()[:100] if found else ""
    return "" if text.strip("_") == "No response" else text


def _is_ours(metric: str) -> bool:
    named = re.search(r"\bbits[- ]per[- ]byte|bpb\b", metric, re.IGNORECASE)
    return bool(named) and not re.search(r"\b(higher|larger|maximi[sz]e)\b", metric, re.IGNORECASE)


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
