"""A second device on a machine that has only a CPU: tensors say that they are on `standin:0` and compute on
the CPU, so that whatever may meet a GPU can be run, compared and counted before anyone has one.

It refuses what a GPU refuses (tensors of two devices in one operation, `numpy()`, a generator of the CPU),
a download that nobody waits for holds nonsense until somebody does, and it counts transfers, bytes and waits.
It has no kernels of its own, no graphs and no speed. PyTorch's Python back-end, which is marked as
experimental, is used in this file alone.
"""

import threading
from collections import Counter
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import torch
import torch.utils.backend_registration as registration
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

NAME = "standin"
SIZE_FROM_VALUES = (
    "nonzero",
    "masked_select",
    "equal",
    "bincount",
    "repeat_interleave",
    "_unique",
    "unique_",
)
"""Beginnings of the operations whose result the host cannot go on without."""

INDEXED = ("index", "index_put", "index_put_", "_unsafe_index")
GROWING = ("arange", "arange.start", "arange.start_step", "linspace", "eye", "eye.m", "randperm")
"""Factories that PyTorch would make of an empty tensor, which a wrapper cannot follow as it grows."""


@dataclass
class Account:
    """What has happened since `clear`.

    waits: reason → times that the host had to wait for the device; a blocking copy, or one from memory that
    is not pinned, is a wait. uploads, downloads: copies from and to the host; up_bytes, down_bytes: what they
    moved. moved_bytes: of all operations on the device, tensors in and out, views excepted. limit_bytes: an
    operation that makes more raises torch.OutOfMemoryError, as a full GPU does.
    """

    waits: Counter[str] = field(default_factory=Counter)
    uploads: int = 0
    downloads: int = 0
    up_bytes: int = 0
    down_bytes: int = 0
    moved_bytes: int = 0
    limit_bytes: int | None = None

    def clear(self) -> None:
        """Nothing has happened, and there is no limit."""
        self.waits.clear()
        self.uploads = self.downloads = self.up_bytes = self.down_bytes = self.moved_bytes = 0
        self.limit_bytes = None


account = Account()
_lock = threading.RLock()
_pinned: set[int] = set()  # addresses of host memory that counts as pinned
_held: list[object] = []
_late: list[tuple[Tensor, Tensor]] = []  # downloads on their way: (host's tensor, what it will hold)


class StandIn(Tensor):
    """wrapped: the tensor of the CPU that computes."""

    wrapped: Tensor

    @staticmethod
    def __new__(cls, wrapped: Tensor) -> "StandIn":
        made: StandIn = Tensor._make_wrapper_subclass(
            cls,
            wrapped.shape,
            strides=wrapped.stride(),
            storage_offset=wrapped.storage_offset(),
            dtype=wrapped.dtype,
            layout=wrapped.layout,
            device=torch.device(NAME, 0),
        )
        return made

    def __init__(self, wrapped: Tensor) -> None:
        self.wrapped = wrapped

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"StandIn({self.wrapped!r})"

    def tolist(self) -> Any:
        """By way of the host, as on a GPU."""
        return self.cpu().tolist()

    @property
    def data(self) -> Tensor:
        """As of any tensor; set when a module is converted in place."""
        return self.detach()

    @data.setter  # type: ignore[override]
    def data(self, value: "StandIn") -> None:
        Tensor.data.__set__(self, value)  # type: ignore[attr-defined]
        self.wrapped = value.wrapped

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        copied: Any = self.detach().clone()
        if isinstance(self, torch.nn.Parameter):
            copied = torch.nn.Parameter(copied, self.requires_grad)
        return memo.setdefault(id(self), copied.requires_grad_(self.requires_grad))

    def data_ptr(self) -> int:
        """An address that the CPU can read."""
        return self.wrapped.data_ptr()

    def untyped_storage(self) -> torch.UntypedStorage:
        """Whose address tells which tensors share their memory."""
        return self.wrapped.untyped_storage()

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return _run(func, *args, **(kwargs or {}))


def _run(func: Any, *args: Any, **kwargs: Any) -> Any:
    """One operation: on the device where a tensor is there already, or where `device` asks for it."""
    name = func._schema.name.removeprefix("aten::")
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    ours = [tensor for tensor in tensors if isinstance(tensor, StandIn)]
    here = bool(ours)
    if kwargs.get("device") is not None:
        here = torch.device(kwargs["device"]).type == NAME
        kwargs = {**kwargs, "device": torch.device("cpu")}
    kwargs.pop("pin_memory", None)
    copies = name in ("copy_", "_to_copy")
    if not copies:
        _refuse_mixtures(name, args, kwargs, tensors, here)
        _note_waits(name, args, here)
    plain_args, plain_kwargs = tree_map(_inner, (args, kwargs))
    out = func(*plain_args, **plain_kwargs)
    if copies:
        source = args[1] if name == "copy_" else args[0]
        to_device = isinstance(args[0], StandIn) if name == "copy_" else here
        non_blocking = bool(kwargs.get("non_blocking", name == "copy_" and len(args) > 2 and args[2]))
        _note_copy(source, out, to_device, non_blocking)
        here = to_device
    if here and not func.is_view:
        _note_bytes(tensors, out)
    known = {id(tensor.wrapped): tensor for tensor in ours}  # in place, or `out=`: the caller's own tensor

    def outer(value: Any) -> Any:
        if not here or not isinstance(value, Tensor):
            return value
        return known[id(value)] if id(value) in known else StandIn(value)

    return tree_map(outer, out)


def _inner(value: Any) -> Any:
    return value.wrapped if isinstance(value, StandIn) else value


def _refuse_mixtures(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], tensors: list[Tensor], here: bool
) -> None:
    """A number from the host may stand in any operation; so may an index, which is uploaded."""
    indices = {id(leaf) for leaf in tree_leaves(args[1])} if name in INDEXED else set()
    for tensor in tensors:
        if not here or isinstance(tensor, StandIn) or tensor.dim() == 0:
            continue
        if id(tensor) not in indices:
            raise RuntimeError(
                f"Expected all tensors to be on the same device, but found at least two devices, "
                f"{NAME}:0 and cpu, in {name} with one of shape {list(tensor.shape)}"
            )
        _note_copy(tensor, tensor, to_device=True, non_blocking=False)
    if here and any(isinstance(leaf, torch.Generator) for leaf in tree_leaves((args, kwargs))):
        raise RuntimeError(f"Expected a '{NAME}' device type for generator but found 'cpu', in {name}")


def _note_waits(name: str, args: tuple[Any, ...], here: bool) -> None:
    if not here:
        return
    reads = name == "_local_scalar_dense" or name.startswith(SIZE_FROM_VALUES)
    masks = name in INDEXED and any(
        isinstance(leaf, Tensor) and leaf.dtype in (torch.bool, torch.uint8) for leaf in tree_leaves(args[1])
    )
    if reads or masks:
        with _lock:
            account.waits[f"{name} by a mask" if masks else name] += 1


def _note_copy(source: Tensor, out: Tensor, to_device: bool, non_blocking: bool) -> None:
    """source, out: one of them the host's; out is a CPU's tensor in any case, what was copied."""
    if isinstance(source, StandIn) == to_device:
        return
    with _lock:
        if to_device:
            account.uploads += 1
            account.up_bytes += source.numel() * source.element_size()
            if not (non_blocking and source.is_pinned()):
                account.waits["a blocking upload"] += 1
            return
        account.downloads += 1
        account.down_bytes += out.numel() * out.element_size()
        if not non_blocking:
            account.waits["a blocking download"] += 1
            return
        _late.append((out, out.clone()))
        if out.is_floating_point():
            out.fill_(torch.nan)
        elif out.dtype == torch.bool:
            out.logical_not_()
        else:
            out.bitwise_not_()


def _note_bytes(tensors: list[Tensor], out: Any) -> None:
    made = sum(t.numel() * t.element_size() for t in tree_leaves(out) if isinstance(t, Tensor))
    with _lock:
        account.moved_bytes += made + sum(t.numel() * t.element_size() for t in tensors)
        if account.limit_bytes is not None and made > account.limit_bytes:
            raise torch.OutOfMemoryError(f"{NAME} out of memory. Tried to allocate {made} bytes")


def _arrive(count: int | None = None) -> None:
    """The first `count` downloads, or all, hold what they should."""
    with _lock:
        arrived = _late[:count]
        del _late[:count]
        for target, value in arrived:
            target.copy_(value)


class Stream:
    """The one stream there is: work is done when it is asked for."""

    cuda_stream = 0

    def __init__(self, device: Any = None, **_: Any) -> None:
        self.device = torch.device(NAME, 0)

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def wait_stream(self, other: Any) -> None:
        """Nothing to wait for on the device."""

    def wait_event(self, event: Any) -> None:
        """Nothing to wait for on the device."""

    def record_event(self, event: Any = None) -> "Event":
        """An event that has been recorded now."""
        event = event or Event()
        event.record()
        return event  # type: ignore[no-any-return]

    def synchronize(self) -> None:
        """A wait."""
        Backend.synchronize()


class Event:
    """Marks how many of the downloads that are on their way belong to it."""

    def __init__(self, **_: Any) -> None:
        self._last: Tensor | None = None

    def record(self, stream: Any = None) -> None:
        """Whatever was asked for so far."""
        self._last = _late[-1][0] if _late else None

    def query(self) -> bool:
        """Whether its downloads have arrived."""
        return all(target is not self._last for target, _ in _late)

    def synchronize(self) -> None:
        """A wait."""
        with _lock:
            account.waits["an event"] += 1
            places = [place for place, (target, _) in enumerate(_late) if target is self._last]
            _arrive(places[0] + 1 if places else 0)

    def wait(self, stream: Any = None) -> None:
        """Nothing to wait for on the device."""

    def elapsed_time(self, end: "Event") -> float:
        """ms; it has no clock."""
        return 0.0


class Backend(registration._DummyBackendModule):
    """What `torch.get_device_module` returns for it: the part of `torch.cuda` that a program meets."""

    Stream: type = Stream
    Event: type = Event

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        """For autocast, which lowers nothing here."""
        return [torch.float16, torch.bfloat16]

    @staticmethod
    def get_rng_state(device: Any = None) -> Tensor:
        """The CPU's generator draws for it."""
        return torch.get_rng_state()

    @staticmethod
    def set_rng_state(state: Tensor, device: Any = None) -> None:
        """See `get_rng_state`."""
        torch.set_rng_state(state)

    @staticmethod
    def synchronize(device: Any = None) -> None:
        """A wait."""
        with _lock:
            account.waits["synchronize"] += 1
        _arrive()

    @staticmethod
    def current_stream(device: Any = None) -> Any:
        """The one stream."""
        return Stream()

    @staticmethod
    def stream(stream: Any) -> Any:
        """Already current."""
        return stream

    @staticmethod
    def device(device: Any) -> Any:
        """Already current."""
        return Stream()

    @staticmethod
    def set_device(device: Any) -> None:
        """There is one."""

    @staticmethod
    def empty_cache() -> None:
        """There is none."""

    @staticmethod
    def get_device_name(device: Any = None) -> str:
        """In words, as of a GPU."""
        return "a stand-in that computes on the CPU"

    @staticmethod
    def reset_peak_memory_stats(device: Any = None) -> None:
        """Not measured."""

    @staticmethod
    def max_memory_allocated(device: Any = None) -> int:
        """Not measured."""
        return 0


@cache
def install() -> torch.device:
    """Makes PyTorch know the device, for the rest of the process; once is enough, more does no harm. It must
    come before the first backward pass, for which PyTorch counts the devices once and for all."""
    registration._setup_privateuseone_for_python_backend(NAME, backend_module=Backend())
    library = torch.library.Library("_", "IMPL")  # type: ignore[no-untyped-call]
    library.fallback(_run, "PrivateUse1")  # type: ignore[no-untyped-call]
    factories = torch.library.Library("aten", "IMPL")  # type: ignore[no-untyped-call]
    for factory in GROWING:
        name, _, overload = factory.partition(".")
        operation = getattr(getattr(torch.ops.aten, name), overload or "default")
        factories.impl(factory, partial(_run, operation), "PrivateUse1")  # type: ignore[no-untyped-call]
    _held.extend((library, factories))  # their operations end with them
    _replace_what_passes_no_dispatcher()
    return torch.device(NAME, 0)


def _replace_what_passes_no_dispatcher() -> None:
    """A tensor made from Python numbers, and pinned memory: PyTorch does both below the level that a Python
    back-end can reach."""
    tensor, new_tensor, as_tensor = torch.tensor, Tensor.new_tensor, torch.as_tensor

    def on(device: Any) -> bool:
        return device is not None and torch.device(device).type == NAME

    def make(data: Any, *, device: Any = None, requires_grad: bool = False, **kwargs: Any) -> Tensor:
        if not on(device):
            return tensor(data, device=device, requires_grad=requires_grad, **kwargs)
        return tensor(data, **kwargs).to(device).requires_grad_(requires_grad)

    def convert(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
        if isinstance(data, Tensor) or not on(device):
            return as_tensor(data, dtype=dtype, device=device)
        return as_tensor(data, dtype=dtype).to(device)

    def make_like(self: Tensor, data: Any, *, dtype: Any = None, device: Any = None, **kwargs: Any) -> Tensor:
        if on(device or self.device):
            return make(data, dtype=dtype or self.dtype, device=device or self.device, **kwargs)
        return new_tensor(self, data, dtype=dtype, device=device, **kwargs)

    def pinned(self: Tensor, *_: Any) -> Tensor:
        held = self.clone()
        _pinned.add(held.untyped_storage().data_ptr())
        return held

    def is_it(self: Tensor, *_: Any) -> bool:
        return self.device.type == "cpu" and self.untyped_storage().data_ptr() in _pinned

    for owner, name, replacement in (
        (torch, "tensor", make),
        (torch, "as_tensor", convert),
        (Tensor, "new_tensor", make_like),
        (Tensor, "pin_memory", pinned),
        (Tensor, "is_pinned", is_it),
    ):
        setattr(owner, name, replacement)
