"""Feeding a session: by name, by order, and every way of getting it wrong."""

import numpy as np
import pytest
import torch
from torch import nn

from dpa.engine.sessions.errors import SessionInput
from dpa.engine.sessions.protocol import TensorSpec, TorchSession, bind

SPECS = (TensorSpec("x", (None, 3)), TensorSpec("n", (None,), "int64"))


def x(batch=2, width=3):
    return torch.zeros(batch, width)


def n(batch=2):
    return torch.zeros(batch, dtype=torch.int64)


def test_by_name_and_by_order_are_the_same_call() -> None:
    a, b = x(), n()
    assert list(bind(SPECS, {"n": b, "x": a}, ())) == ["x", "n"]
    assert bind(SPECS, a, (b,))["n"] is b


@pytest.mark.parametrize(
    ("feeds", "more"),
    [
        ({"x": x()}, ()),
        ({"x": x(), "n": n(), "z": n()}, ()),
        ({"x": x(), "n": n()}, (x(),)),
        (x(), ()),
        (x(), (n(), n())),
        (x(), (n().float(),)),
        (x().double(), (n(),)),
        (x(width=4), (n(),)),
        (x(batch=0), (n(),)),
        (x()[None], (n(),)),
        (x(), (n().numpy(),)),
    ],
    ids=[
        "missing",
        "unknown",
        "surplus",
        "few",
        "many",
        "dtype",
        "double",
        "width",
        "empty",
        "rank",
        "mixed",
    ],
)
def test_what_does_not_fit_is_named(feeds, more) -> None:
    with pytest.raises(SessionInput) as caught:
        bind(SPECS, feeds, more)
    assert "to do:" in str(caught.value)


class Affine(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        y = self.drop(self.layer(x))
        return y, y.sum(dim=1)


def affine_session() -> tuple[TorchSession, nn.Linear]:
    module = Affine().train()
    outputs = (TensorSpec("y", (None, 2)), TensorSpec("total", (None,)))
    return TorchSession(module, (TensorSpec("x", (None, 3)),), outputs), module.layer


@pytest.mark.parametrize("batch", [1, 3, 17])
def test_torch_session_gives_what_numpy_gives(batch: int) -> None:
    session, layer = affine_session()
    value = np.random.default_rng(batch).normal(size=(batch, 3)).astype(np.float32)
    truth = value.astype(np.float64) @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
    made = session.run(value)
    assert isinstance(made["y"], np.ndarray)
    np.testing.assert_allclose(made["y"], truth, atol=1e-5)
    np.testing.assert_allclose(made["total"], truth.sum(axis=1), atol=1e-5)
    tensors = session.run({"x": torch.from_numpy(value)})
    assert isinstance(tensors["y"], torch.Tensor)
    assert not tensors["y"].requires_grad
    np.testing.assert_array_equal(tensors["y"].numpy(), made["y"])
    assert (session.backend, session.device) == ("torch", "cpu")
