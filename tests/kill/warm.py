"""Imported by the fork server alone: what a bot would load at its first plot is loaded before it is forked."""

from bot.plots import Bar, draw_progress

draw_progress([Bar("1", 1.0, "improved")], metric="loss", lower_is_better=True)
