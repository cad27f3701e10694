"""Texts as people, models and trainings may leave them, for tests of whatever has to read them."""

from hypothesis import strategies as st

_LINES = (
    "", "  ", "# Log", "## Runs", "## runs:", "## Run 1: it fits", "## Run 1 by hand", "### Analysis", "Run 2", "---",
    "===", "```", "```python", "~~~~", "- [ ] Fit it", "- [X] Fit it", "  - [ ] Fit it", "- ```", "-", "  [ ] Fit it",
    "* Fit `it`!", "1. [x] Try | a pipe", "> ## Runs", "> - [ ] Fit it", "<!--", "-->", "<pre>", "</pre>", "<details>",
    "<?", "<!A", "| a | b |", "|---|---|", "    code", "\tcode", "[a]: b", "[a](", "\x0c", "## Run\u2028 1:", "\x85",
    "\0", "\\", "a  ", "é ü 漢 🎉", "## Primary metric", "`loss`, lower is better", "Primary metric",
    "# Primary **metric** #",
)  # fmt: skip

LINE = st.sampled_from(_LINES) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TEXT = st.lists(st.tuples(LINE, st.sampled_from(["\n", "\n", "\r\n", "\r", ""])), max_size=12).map(
    lambda pairs: "".join(line + end for line, end in pairs)
)
"""Whole documents, with every end of line there is."""
