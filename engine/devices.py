"""Which device a command runs on."""

import torch

from dpa.models.errors import InputError


def pick_device(name: str) -> torch.device:
    """`auto` takes a GPU where torch sees one. Raises InputError for a device that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"device {name}: {str(error).splitlines()[0]}",
            "auto, cpu, or a GPU that torch sees",
            "use --device auto",
        ) from error
    return device


def device_name(device: torch.device) -> str:
    """The device in words, as results name it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu, {torch.get_num_threads()} threads"
