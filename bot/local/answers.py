"""GitHub's JSON, rendered from what the store and git hold; for REST answers and for webhooks alike.

One class per group of nouns, each on top of those whose nouns it shows; `Answers` is the whole.
"""

from bot.local.answers_actions import ActionAnswers
from bot.local.answers_base import Json


class Answers(ActionAnswers):
    pass


__all__ = ["Answers", "Json"]
