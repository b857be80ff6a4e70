"""How fast this machine multiplies matrices, measured in the same run as what is compared with it."""

from collections.abc import Callable

import torch

from dpa.bench.timing import measure

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
