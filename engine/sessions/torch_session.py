"""The session that is always there: a torch module run eagerly. It is what every other back-end is
compared with, and what they fall back to."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dpa.engine.sessions.protocol import A, TensorSpec, bind


class TorchSession:
    """A module under the Session protocol.

    module: forward takes the inputs in order and returns one tensor, or a tuple in the order of
    `outputs`. It is put into eval mode and runs without gradients on the device of its parameters.
    """

    backend = "torch"

    def __init__(
        self, module: nn.Module, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]
    ) -> None:
        self._module = module.eval()
        self._device = next((p.device for p in module.parameters()), torch.device("cpu"))
        self.inputs, self.outputs = inputs, outputs

    @property
    def device(self) -> str:
        return str(self._device)

    def run(self, feeds: Mapping[str, A] | A, *more: A) -> dict[str, A]:
        """See Session.run. NumPy inputs are shared with torch, not copied, on the CPU."""
        named: Mapping[str, Any] = bind(self.inputs, feeds, more)
        given_torch = all(isinstance(value, Tensor) for value in named.values())
        tensors = [torch.as_tensor(value).to(self._device) for value in named.values()]
        with torch.inference_mode():
            made = self._module(*tensors)
        values = made if isinstance(made, tuple) else (made,)
        results: dict[str, Any] = {
            spec.name: value if given_torch else value.cpu().numpy()
            for spec, value in zip(self.outputs, values, strict=True)
        }
        return results
