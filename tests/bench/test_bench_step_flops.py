"""The count of arithmetic against one made by hand."""

import pytest
import torch

from dpa.bench.step import step_gflop


class Doubled:
    """error = |W x|: 2·A·B FLOP forward, and 2·A·B for the gradient to x."""

    def __init__(self, weight: torch.Tensor) -> None:
        self.weight = weight

    def __call__(self, h_a: torch.Tensor, scene: object) -> tuple[torch.Tensor, None]:
        return (h_a @ self.weight).square().sum(dim=1), None


@pytest.mark.parametrize("trained", [False, True])
def test_counts_what_the_gradient_to_the_code_needs(trained: bool) -> None:
    """Whether the parameters are frozen or merely not asked for."""
    objective = Doubled(torch.rand(5, 7, requires_grad=trained))
    gflop = step_gflop(objective, torch.rand(3, 5), scene=None)  # type: ignore[arg-type]
    assert gflop == pytest.approx((2 * 5 * 7 + 2 * 5 * 7) / 1e9)
