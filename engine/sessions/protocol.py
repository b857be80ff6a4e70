"""What every back-end offers: named, shaped, typed inputs and outputs, and `run` on torch tensors or
NumPy arrays; and the session that is always there, a torch module run eagerly. Whoever runs a network needs
to know no more than this file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dpa.engine.sessions.errors import SessionInput

A = TypeVar("A", Tensor, NDArray[Any])
"""One kind of array for a whole call: tensors in, tensors out; NumPy in, NumPy out."""

TORCH_DTYPES = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "int64": torch.int64,
    "uint8": torch.uint8,
}


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a graph. A dimension of None is free (the batch)."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str = "float32"

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape may stand here; a free dimension takes any size of at least 1."""
        return len(shape) == len(self.shape) and all(
            have == want if want is not None else have > 0
            for have, want in zip(shape, self.shape, strict=True)
        )

    def __str__(self) -> str:
        dims = ", ".join("batch" if size is None else str(size) for size in self.shape)
        return f"{self.name}: {self.dtype} [{dims}]"


class Session(Protocol):
    """A graph that is ready to run.

    backend: 'torch', 'onnxruntime', 'openvino' or 'tensorrt'; device: where it really runs ('cpu',
    'cuda:0'), read from the back-end after loading, never from what was asked for.
    """

    @property
    def backend(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def inputs(self) -> tuple[TensorSpec, ...]: ...
    @property
    def outputs(self) -> tuple[TensorSpec, ...]: ...

    def run(self, feeds: Mapping[str, A] | A, *more: A) -> dict[str, A]:
        """Feed arrays by name (a mapping) or in the order of `inputs`; outputs by name, same kind."""
        ...


def bind(specs: tuple[TensorSpec, ...], feeds: Mapping[str, A] | A, more: tuple[A, ...]) -> dict[str, A]:
    """The arrays by input name, in the order of `specs`, each checked against its spec.

    Raises SessionInput for a missing, unknown or surplus input, a wrong shape, a wrong dtype, and
    for torch and NumPy mixed in one call.
    """
    named: dict[str, Any]
    if isinstance(feeds, Mapping):
        named = dict(feeds)
        surplus = len(more)
    else:
        values: tuple[Any, ...] = (feeds, *more)
        named = {spec.name: value for spec, value in zip(specs, values, strict=False)}
        surplus = max(len(values) - len(specs), 0)
    wanted = [spec.name for spec in specs]
    if surplus or set(named) != set(wanted):
        raise SessionInput(
            found=f"inputs {sorted(named)}" + (f" and {surplus} more" if surplus else ""),
            expected=f"inputs {wanted}",
            remedy="give each input once, by name or in this order",
        )
    if len({isinstance(value, Tensor) for value in named.values()}) > 1:
        raise SessionInput(
            found="torch tensors and NumPy arrays in one call",
            expected="one kind for all inputs",
            remedy="convert them with torch.from_numpy or .numpy()",
        )
    for spec in specs:
        value = named[spec.name]
        dtype = dtype_name(value)
        if dtype != spec.dtype or not spec.fits(tuple(value.shape)):
            raise SessionInput(
                found=f"{spec.name}: {dtype} {list(value.shape)}",
                expected=str(spec),
                remedy="resize or convert the input; a batch holds at least one sample",
            )
    return {name: named[name] for name in wanted}


def dtype_name(value: Tensor | NDArray[Any]) -> str:
    """'float32' and the like, the same word for a tensor and an array."""
    if isinstance(value, Tensor):
        return str(value.dtype).removeprefix("torch.")
    return str(np.asarray(value).dtype)


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
