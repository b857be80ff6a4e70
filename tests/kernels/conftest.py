"""Cases of composite_crop: geometry in words, values at random."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor


class Case(NamedTuple):
    """The arguments of composite_crop, in order."""

    rgb: Tensor
    mask: Tensor
    box_from: Tensor
    plates: Tensor
    plate_index: Tensor
    box_to: Tensor
    size: int

    def double(self) -> "Case":
        return Case(*(t.double() if t.is_floating_point() else t for t in self[:6]), self.size)

    def leaves(self) -> list[Tensor]:
        """rgb, mask, box_from, box_to."""
        return [self.rgb, self.mask, self.box_from, self.box_to]

    def with_gradients(self) -> "Case":
        fresh = [t.detach().clone() for t in self[:6]]
        for i in (0, 1, 2, 5):
            fresh[i].requires_grad_()
        return Case(*fresh, self.size)


# (crop, height, width, size), box_from, box_to: where the person is, what is looked at
GEOMETRY: dict[str, tuple[tuple[int, int, int, int], list[float], list[float]]] = {
    "attack crop": ((16, 40, 40, 16), [0.4, 0.6, 0.1, -0.1], [0.42, 0.57, 0.13, -0.08]),
    "whole frame, smaller": ((16, 40, 40, 16), [0.4, 0.6, 0.1, -0.1], [1.0, 1.0, 0.0, 0.0]),
    "odd sizes": ((7, 21, 33, 11), [0.37, 0.52, -0.21, 0.13], [0.61, 0.73, -0.11, 0.17]),
    "enlarged": ((5, 13, 17, 23), [0.71, 0.63, 0.07, 0.11], [0.31, 0.29, 0.09, -0.13]),
    "person partly outside": ((9, 24, 26, 10), [0.5, 0.6, 0.8, -0.7], [0.9, 0.8, 0.3, -0.3]),
    "view partly outside": ((9, 24, 26, 10), [0.5, 0.6, 0.1, 0.2], [0.7, 0.6, 0.8, -0.9]),
    "view larger than the frame": ((9, 24, 26, 12), [0.5, 0.6, 0.1, 0.2], [1.7, 1.9, 0.1, 0.2]),
    "person far outside": ((9, 24, 26, 10), [0.3, 0.3, 3.0, 0.2], [0.7, 0.6, 0.2, -0.1]),
    "view far outside": ((9, 24, 26, 10), [0.5, 0.6, 0.1, 0.2], [0.3, 0.4, -2.9, 0.2]),
    "view of one pixel": ((9, 24, 26, 6), [0.5, 0.6, 0.1, 0.2], [1 / 26, 1 / 24, 0.131, 0.217]),
    "person in one pixel": ((9, 24, 26, 10), [1 / 26, 1 / 24, 0.131, 0.217], [0.3, 0.3, 0.1, 0.2]),
    "mirrored": ((9, 24, 26, 10), [-0.5, 0.6, 0.1, 0.2], [0.7, -0.6, 0.2, -0.1]),
    "one-pixel crop and output": ((1, 9, 8, 1), [0.5, 0.6, 0.1, 0.2], [0.37, 0.31, 0.21, -0.13]),
    "one-pixel frame": ((4, 1, 1, 5), [0.9, 0.8, 0.1, 0.2], [0.7, 0.6, 0.2, -0.1]),
    "large frame": ((8, 150, 170, 6), [0.31, 0.42, 0.1, -0.1], [0.95, 0.97, 0.01, -0.02]),
}


def build(name: str, batch: int = 3, plates: int = 2, seed: int = 0) -> Case:
    """Box numbers vary by a few per cent from sample to sample; plates are shared by index."""
    (s, height, width, size), box_from, box_to = GEOMETRY[name]
    g = torch.Generator().manual_seed(seed)
    jitter = 1 + 0.04 * torch.rand(2, batch, 4, generator=g)
    return Case(
        torch.rand(batch, 3, s, s, generator=g),
        torch.rand(batch, 1, s, s, generator=g),
        torch.tensor([box_from]) * jitter[0],
        torch.rand(plates, 3, height, width, generator=g),
        torch.randint(0, plates, (batch,), generator=g),
        torch.tensor([box_to]) * (torch.ones(batch, 4) if name.startswith("whole") else jitter[1]),
        size,
    )


@pytest.fixture
def case() -> Callable[..., Case]:
    return build


@pytest.fixture(params=list(GEOMETRY))
def any_case(request: pytest.FixtureRequest) -> Case:
    return build(request.param)
