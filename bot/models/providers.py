"""From a model's name to the model. Each provider is one module of this package; this is the list of doors."""

from bot.errors import SettingsError
from bot.models.baseline import Baseline
from bot.models.model import Model

BASELINE = "baseline"


def open_model(name: str) -> Model:
    """Raises SettingsError for a name that no door knows."""
    if name == BASELINE:
        return Baseline()
    raise SettingsError(
        f"There is no model `{name}` here: this version knows `{BASELINE}`, the researcher that needs no key. "
        "Doors to hosted models (`provider/model`) are being built."
    )
