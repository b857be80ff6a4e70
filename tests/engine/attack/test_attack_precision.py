"""The judge computes in fp32 whatever was set before, and leaves behind what it found."""

import pytest
import torch

from dpa.engine.attack.judge import full_precision
from dpa.models.training.config import set_precision


def flags():
    """TF32 of products and convolutions, benchmarked and deterministic convolutions."""
    library = torch.backends.cudnn
    return (
        torch.backends.cuda.matmul.fp32_precision,
        library.conv.fp32_precision,
        library.benchmark,
        library.deterministic,
    )


@pytest.fixture(autouse=True)
def as_before():
    before = flags()
    yield
    torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision = before[:2]
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = before[2:]


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_after_a_training_in_any_precision(precision):
    """A training on a GPU sets the flags for the whole process; they can be set without one."""
    set_precision(precision, torch.device("cuda"))
    torch.backends.cudnn.benchmark = True
    before = flags()
    with full_precision(torch.device("cpu")):
        assert flags() == ("ieee", "ieee", False, True)
        with full_precision(torch.device("cpu")):
            assert flags() == ("ieee", "ieee", False, True)
    assert flags() == before


def test_after_an_error_and_within_autocast():
    before = flags()
    with torch.autocast("cpu", torch.bfloat16):
        with pytest.raises(ZeroDivisionError), full_precision(torch.device("cpu")):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.float32
            raise ZeroDivisionError
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.bfloat16
    assert flags() == before
