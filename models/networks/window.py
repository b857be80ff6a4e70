"""The smooth bump window on a crop: nearly 1 inside, exactly 0 at the crop's border (FACTS, NSD)."""

import torch
from torch import Tensor

FLATNESS = 16
"""Exponent of the bump, the project's choice: at 0.87 of the half-width, where a person's head and
feet lie, the window is still 0.89."""


def bump_window(size: int) -> Tensor:
    """[1, 1, size, size] in [0, 1]: product over both axes of exp(1 − 1 / (1 − u^16))."""
    u = (2 * torch.arange(size, dtype=torch.float64) + 1) / size - 1
    axis = torch.exp(1 - 1 / (1 - u**FLATNESS))
    return (axis[:, None] * axis[None, :])[None, None].float()
