"""At which sizes a network was trained: a scale's ends may be smaller than what is read on it."""

from dpa.models.errors import InputError
from dpa.models.frameworks.foreign import is_foreign
from dpa.models.training.checkpoint import network_folder, read_config


def preset_of(spec: str) -> str | None:
    """The preset of a network of this project; None for a framework of the user's own, and where the
    checkpoint is gone."""
    if is_foreign(spec):
        return None
    try:
        return read_config(network_folder(spec)).network.preset
    except InputError:
        return None
