"""Which device a command runs on, and the few things that differ from one kind to another.

The kinds are told apart here and in `dpa.kernels`, nowhere else: everything that is not a CPU takes the way
of a GPU, also a device that PyTorch has never heard of, as long as its module (`torch.get_device_module`)
offers what torch.cuda does. CUDA graphs and compiled kernels are CUDA's alone.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

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
    if device.type == "cpu":
        return f"cpu, {torch.get_num_threads()} threads"
    return str(_module(device).get_device_name(device))


def is_gpu(device: torch.device) -> bool:
    """Whether work on it only queues, and its memory is not the host's."""
    return device.type != "cpu"


def records_graphs(device: torch.device) -> bool:
    """Whether its work can be recorded once and replayed: CUDA graphs."""
    return device.type == "cuda"


def fuses_optimisers(device: torch.device) -> bool:
    """Whether PyTorch's optimisers take their step there in one kernel for all weights."""
    return device.type == "cuda"


def wait(device: torch.device) -> None:
    """Until all that was asked of the device is done."""
    if is_gpu(device):
        _module(device).synchronize(device)


def waiter(device: torch.device) -> Callable[[], None]:
    """`wait` without an argument, as the benchmarks' timing takes it."""
    return lambda: wait(device)


def current(device: torch.device) -> AbstractContextManager[Any]:
    """While it lasts, streams, events and graphs belong to this GPU, be it cuda:1."""
    return _module(device).device(device) if is_gpu(device) else nullcontext()


def release_cached_memory(device: torch.device) -> None:
    """Gives back what PyTorch keeps of a GPU's memory for later, as after an allocation that failed."""
    if is_gpu(device):
        _module(device).empty_cache()


def upload(tensor: Tensor, device: torch.device) -> Tensor:
    """The host's tensor on the device, without waiting for it to arrive: from pinned memory, in the order of
    the device's own work. On a CPU the tensor itself."""
    if not is_gpu(device) or tensor.device.type != "cpu":
        return tensor.to(device)
    held = tensor if tensor.is_pinned() else tensor.pin_memory()
    return held.to(device, non_blocking=True)


class Download:
    """Tensors of one device on their way to the host; nobody waits before `read`.

    Begin it where the values are ready to be computed, read it an iteration later: then the wait is over
    before it begins. On a CPU the tensors themselves.
    """

    def __init__(self, *tensors: Tensor) -> None:
        device = tensors[0].device
        self._here = [tensor.detach().to("cpu", non_blocking=True) for tensor in tensors]
        self._arrived: Any = None
        if is_gpu(device):
            with current(device):
                self._arrived = _module(device).Event()
                self._arrived.record()

    def read(self) -> list[Tensor]:
        """The tensors on the host, once they are there."""
        if self._arrived is not None:
            self._arrived.synchronize()
            self._arrived = None
        return self._here


def _module(device: torch.device) -> Any:
    return torch.get_device_module(device)
