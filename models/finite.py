"""Numbers that are none: refused in weights, counted in what a network gives out, never part of a mean."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dpa.models.errors import DpaError, InputError

LISTED = 5
"""So many tensors are named in an error."""


class NonFiniteWeights(InputError):
    """A network whose weights hold NaN or infinity: whatever it would give out means nothing."""

    def __init__(self, name: str, tensors: list[tuple[str, int, int]]) -> None:
        listed = ", ".join(f"{tensor} ({bad:,} of {count:,})" for tensor, bad, count in tensors[:LISTED])
        more = f" and {len(tensors) - LISTED} more" if len(tensors) > LISTED else ""
        super().__init__(
            found=f"{name}: weights that are not finite numbers, in {listed}{more}",
            expected="finite weights",
            remedy="take an earlier checkpoint, or train again with a smaller --learning-rate or in fp32",
        )


class NonFiniteOutputs(DpaError):
    """A network gave out NaN or infinity, or no gradient, for some of what it was given. What could be
    measured without them is kept."""

    def __init__(self, what: str, bad: int, count: int) -> None:
        super().__init__(
            f"{what} for {bad:,} of {count:,}; they are counted, and no mean or rate holds them\n"
            "  to do: try `dpa-engine check-framework` on the network"
        )


def require_finite_weights(name: str, tensors: Iterable[tuple[str, Tensor]]) -> None:
    """Raises NonFiniteWeights that names the tensors. name: the network, as the user named it."""
    bad = []
    for tensor, value in tensors:
        if value.is_floating_point():
            count = int((~value.isfinite()).sum())
            if count:
                bad.append((tensor, count, value.numel()))
    if bad:
        raise NonFiniteWeights(name, bad)


def require_finite(what: str, *values: Tensor) -> None:
    """Raises NonFiniteOutputs where a row of a tensor [n, …] is not finite; for work whose result is of all
    rows together."""
    for value in values:
        sound = value.flatten(1).isfinite().all(dim=1)
        if not sound.all():
            raise NonFiniteOutputs(f"the network's {what} not finite", int((~sound).sum()), len(sound))


def finite_rows(*values: NDArray[np.floating] | None) -> NDArray[np.bool_]:
    """Which rows of arrays [n, …] hold finite numbers alone, [n] bool; an array of None is left out. There
    must be one at least."""
    given = [value for value in values if value is not None]
    sound: NDArray[np.bool_] = np.all(
        [np.isfinite(value).reshape(len(value), -1).all(axis=1) for value in given], axis=0
    )
    return sound
