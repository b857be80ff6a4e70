"""The compiled CPU back-end: C++ with OpenMP, on as many threads as torch itself uses, without the GIL."""

from collections.abc import Sequence
from types import ModuleType

import torch
from torch import Tensor

from dpa.kernels.inputs import Inputs


class CpuKernels:
    """extension: the module dpa.kernels._cpu. The number of threads changes no bit of a result."""

    def __init__(self, extension: ModuleType) -> None:
        self._extension = extension

    def forward(self, inputs: Inputs, out: Tensor) -> None:
        self._extension.forward(*inputs, out, torch.get_num_threads())

    def backward(self, inputs: Inputs, grad: Tensor, outputs: Sequence[Tensor | None]) -> None:
        self._extension.backward(*inputs, grad, *outputs, torch.get_num_threads())
