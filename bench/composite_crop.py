"""composite_crop against grid_sample twice, at the attack's shapes: forward and backward, interleaved."""

import statistics
from collections.abc import Callable

import torch
from torch import Tensor

from dpa.bench.config import KernelBench
from dpa.bench.timing import measure
from dpa.kernels import WHOLE_FRAME, composite_crop, reference

Row = dict[str, float | int | str]
FRAME, CROP, PLATES = 160, 64, 8  # the small preset: frames 160², decoded crops 64²
VIEWS = {"localiser": 80, "encoder": 64}  # who looks → side of its input, pixels
FUSED, TWICE = "fused", "two-step"  # two-step: compose, then crop, both with grid_sample


def measure_composite_crop(settings: KernelBench, rounds: int = 5) -> list[Row]:
    """One row a batch size, view and contender: ms per call forward and in all, samples/s, GB/s.

    The contenders take turns `rounds` times, so that a change of the machine's speed meets both; a figure
    is the median over the rounds of each round's median. seconds: of one contender in all its rounds.
    GB/s counts what must move once: crop, mask, the plate pixels in view, the result and, backward, the
    same again with its gradients. Gradients go where the attack's go: to rgb, and to the encoder's box.
    """
    threads, duration_s, device = settings.threads, settings.seconds, settings.device
    torch.set_num_threads(threads)
    synchronise: Callable[[], object] = torch.cuda.synchronize if device == "cuda" else lambda: None
    rows: list[Row] = []
    for batch in settings.batch:
        for view, size in VIEWS.items():
            arguments, moved = _case(batch, view, size, device)
            leaves = [t for t in arguments if t.requires_grad]
            work = {
                (name, whole): _work(operation, arguments, size, leaves if whole else [])
                for name, operation in ((TWICE, reference.composite_crop), (FUSED, composite_crop))
                for whole in (False, True)
            }
            seconds: dict[tuple[str, bool], list[float]] = {key: [] for key in work}
            for _ in range(rounds):
                for key, call in work.items():
                    share = duration_s / rounds / 2
                    timing = measure(call, duration_s=share, warm_up_s=share / 4, synchronise=synchronise)
                    seconds[key].append(timing.p50_s)
            for name in (TWICE, FUSED):
                forward, whole_s = (statistics.median(seconds[name, whole]) for whole in (False, True))
                rows.append(
                    {
                        "name": name,
                        "view": view,
                        "batch": batch,
                        "size": size,
                        "forward_ms": forward * 1e3,
                        "forward_backward_ms": whole_s * 1e3,
                        "samples_per_s": batch / whole_s,
                        "gb_per_s": moved / whole_s / 1e9,
                    }
                )
    return rows


def ratios(rows: list[Row]) -> dict[str, float]:
    """ "fused/two-step, view, batch" → how many times as many samples per second."""
    rate = {(row["name"], row["view"], row["batch"]): float(row["samples_per_s"]) for row in rows}
    return {
        f"{FUSED}/{TWICE}, {view}, batch {batch}": rate[name, view, batch] / rate[TWICE, view, batch]
        for name, view, batch in rate
        if name == FUSED
    }


def _case(batch: int, view: str, size: int, device: str) -> tuple[list[Tensor], float]:
    """The operation's six tensors and the bytes that one forward and backward must move."""
    g = torch.Generator().manual_seed(0)
    box = torch.tensor([0.35, 0.65, 0.0, 0.0]) + 0.1 * (torch.rand(batch, 4, generator=g) - 0.5)
    seen = torch.tensor(WHOLE_FRAME).expand(batch, 4).contiguous()
    if view == "encoder":  # the localiser finds nearly the same box again
        seen = box + 0.02 * torch.randn(batch, 4, generator=g)
    arguments = [
        torch.rand(batch, 3, CROP, CROP, generator=g),
        torch.rand(batch, 1, CROP, CROP, generator=g),
        box,
        torch.rand(PLATES, 3, FRAME, FRAME, generator=g),
        torch.randint(0, PLATES, (batch,), generator=g),
        seen,
    ]
    in_view = (seen[:, :2].clamp(max=1) * FRAME).clamp(max=2 * size).prod(dim=1).sum().item()
    colours, results = 3 * batch * CROP**2, 3 * batch * size**2
    moved = 4.0 * (2 * (colours + batch * CROP**2 + 3 * in_view) + results + results + colours)
    arguments = [tensor.to(device) for tensor in arguments]
    arguments[0].requires_grad_()
    if view == "encoder":
        arguments[5].requires_grad_()
    return arguments, moved


def _work(
    operation: Callable[..., Tensor], arguments: list[Tensor], size: int, leaves: list[Tensor]
) -> Callable[[], object]:
    if not leaves:

        def forward() -> Tensor:
            with torch.no_grad():
                return operation(*arguments, size)

        return forward
    upstream = torch.randn(arguments[0].shape[0], 3, size, size).to(arguments[0].device)
    return lambda: torch.autograd.grad(operation(*arguments, size), leaves, upstream)
