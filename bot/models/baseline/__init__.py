"""The researcher that needs no key. It is no language model: it reads the same prompts and answers them by rule.

reading.py    what a prompt says
family.py     the one family of experiments it can do
knobs.py      the settings that may be varied, and what is known of them
script.py     the constants of a train.py
moves.py      the search
wishes.py     what it can follow of people's words
planning.py coding.py summarizing.py analysing.py reporting.py    its answers
ahead.py      what an analysis makes of a run for the work ahead
words.py      what its sentences share
plan.md, train.py    the plan and the script that it writes: data, never imported
"""

from bot.models.baseline import analysing, coding, family, planning, reporting, summarizing, words
from bot.models.baseline.reading import Kind, Question, read
from bot.models.model import Prompt, Reply

ANSWERS = {
    Kind.PLAN: planning.plan,
    Kind.CODE: coding.write,
    Kind.REPAIR: coding.repair,
    Kind.SUMMARY: summarizing.summarize,
    Kind.ANALYSIS: analysing.analyze,
    Kind.REVISION: planning.revise,
    Kind.REPORT: reporting.report,
}


class Baseline:
    """The same prompt gets the same answer, in any process: there is no clock, no chance and no memory in it."""

    name = "baseline"

    def ask(self, prompt: Prompt) -> Reply:
        return Reply(text=_answer(prompt.user.encode(errors="replace").decode()), model=self.name)


def _answer(text: str) -> str:
    question = read(text)
    if question is None:
        return words.declined(family.cannot("This prompt asks for nothing that I know."))
    answer = ANSWERS[question.kind](question)
    if question.complaints and _same(answer, question):
        return words.declined(family.cannot(f"I have no other answer: {' '.join(question.complaints)}"))
    return answer


def _same(answer: str, question: Question) -> bool:
    return answer.split() == question.answered.split()
