"""Source code as HTML with a few coloured spans: enough to read train.py and its configuration, with no dependency."""

import re
from html import escape

_STRING = r"\"(?:\\.|[^\"\\\n])*\"?|'(?:\\.|[^'\\\n])*'?"
_KEYWORDS = (
    "and as assert async await break case class continue def del elif else except False finally for from global "
    "if import in is lambda match None nonlocal not or pass raise return True try while with yield"
)
_BUILTINS = (
    "abs all any bool bytes dict enumerate filter float getattr int isinstance iter len list map max min next object "
    "open print range repr reversed round self set sorted str sum super tuple type zip"
)

_PYTHON = re.compile(
    r"(?P<c>\#[^\n]*)"
    rf"|(?P<s>(?<!\w)[rbfuRBFU]{{0,2}}(?:\"\"\"[\s\S]*?(?:\"\"\"|\Z)|'''[\s\S]*?(?:'''|\Z)|{_STRING}))"
    r"|(?P<d>(?<=\bdef )\w+|(?<=\bclass )\w+|^[ \t]*@[\w.]+)"
    rf"|(?P<k>\b(?:{_KEYWORDS.replace(' ', '|')})\b)"
    rf"|(?P<b>(?<![.\w])(?:{_BUILTINS.replace(' ', '|')})\b)"
    r"|(?P<n>(?<![\w.])\d[\d_]*(?:\.[\d_]*)?(?:[eE][+-]?\d+)?\b)",
    re.MULTILINE,
)
_CONFIGURATION = re.compile(
    r"(?P<c>(?:^|(?<=\s))\#[^\n]*)"
    r"|(?P<key>^[ \t]*(?:-[ \t]+)?[\w.\-/]+(?=[ \t]*[:=])|\"[^\"\n]*\"(?=\s*:))"
    rf"|(?P<s>(?<!\w)(?:{_STRING}))"
    r"|(?P<k>\b(?:true|false|null|yes|no)\b)"
    r"|(?P<n>(?<![\w.\-])-?\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?\b)",
    re.MULTILINE,
)
_DIFF = re.compile(r"(?P<hunk>^@@[^\n]*)|(?P<add>^\+[^\n]*)|(?P<del>^-[^\n]*)", re.MULTILINE)

_LANGUAGES = {
    **dict.fromkeys(("python", "py", "python3"), _PYTHON),
    **dict.fromkeys(("yaml", "yml", "toml", "ini", "cfg", "json", "jsonl", "bash", "sh", "shell"), _CONFIGURATION),
    **dict.fromkeys(("diff", "patch"), _DIFF),
}


def language_of(path: str) -> str:
    """By the end of the file's name; what is not known is shown without colours."""
    return path.rpartition(".")[2].lower()


def highlight(code: str, language: str) -> str:
    pattern = _LANGUAGES.get(language.lower())
    if pattern is None:
        return escape(code, quote=False)
    done, parts = 0, []
    for found in pattern.finditer(code):
        parts.append(escape(code[done : found.start()], quote=False))
        parts.append(_spans(found.group(), f"hl-{found.lastgroup}"))
        done = found.end()
    parts.append(escape(code[done:], quote=False))
    return "".join(parts)


def highlighted_lines(code: str, language: str) -> list[str]:
    lines = highlight(code, language).split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _spans(text: str, css_class: str) -> str:
    """One span per line, so that the lines can be shown apart."""
    return "\n".join(
        f'<span class="{css_class}">{escape(line, quote=False)}</span>' if line else "" for line in text.split("\n")
    )
