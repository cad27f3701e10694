"""The bot: GitHub events in, plans, code, pull requests and findings out."""

__version__ = "0.1.0"
