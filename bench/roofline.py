"""What bounds a piece of work: its arithmetic, the bytes that its operations move, and this machine's two
ceilings, measured in the same run as what is compared with them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from dpa.bench.timing import measure

COPIED_MB = 256
"""Large enough for no cache to hold."""


class Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what runs inside it. flops: of convolutions and matrix products, by PyTorch's own formulae
    (its FlopCounterMode also tracks modules, and those hooks refuse a gradient asked of a leaf).
    moved: bytes of every operation's tensors, in and out, views excepted; no cache is assumed."""

    flops = 0.0
    moved = 0.0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.flops += formula(*args, **(kwargs or {}), out_val=out)
        if not func.is_view:
            touched = tree_leaves((args, kwargs, out))
            self.moved += sum(t.numel() * t.element_size() for t in touched if isinstance(t, Tensor))
        return out


def count(work: Callable[[], object]) -> tuple[float, float]:
    """GFLOP and GB of one call."""
    with Counter() as counter:  # type: ignore[no-untyped-call]
        work()
    return counter.flops / 1e9, counter.moved / 1e9


def memory_gb_per_s(
    device: torch.device, *, duration_s: float = 0.5, synchronise: Callable[[], object] = lambda: None
) -> float:
    """GB/s of a copy, read and write counted; the best tenth of the calls, as for the matrix product."""
    source = torch.ones(COPIED_MB << 18, device=device)
    target = torch.empty_like(source)
    timing = measure(
        lambda: target.copy_(source), duration_s=duration_s, warm_up_s=0.1, synchronise=synchronise
    )
    return 2 * source.numel() * source.element_size() / timing.p10_s / 1e9


SIDE = {"cpu": 1024, "cuda": 8192}
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def matmul_gflops(
    device: torch.device, *, duration_s: float = 1.0, synchronise: Callable[[], object] = lambda: None
) -> dict[str, float]:
    """GFLOP/s of a square matrix product by precision, on torch's present number of threads.

    float32 means full precision: no TF32 unless the caller has allowed it. The best tenth of the calls
    speaks: other processes only ever slow one down, and what follows is compared with the ceiling.
    """
    side = SIDE.get(device.type, SIDE["cuda"])
    found = {}
    for name, dtype in DTYPES.items():
        a, b = (torch.rand(side, side, device=device).to(dtype) for _ in range(2))
        out = torch.empty_like(a)
        with torch.no_grad():
            timing = measure(
                lambda a=a, b=b, out=out: torch.mm(a, b, out=out),  # type: ignore[misc]
                duration_s=duration_s / len(DTYPES),
                warm_up_s=0.1,
                synchronise=synchronise,
            )
        found[name] = 2 * side**3 / timing.p10_s / 1e9
    return found
