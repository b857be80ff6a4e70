"""composite_crop's kernels: every way of loading them against the float64 twin, and how fast they are."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from unittest.mock import patch

import torch
from torch import Tensor

from dpa.bench.gpu.section import Notebook, NotExecuted, Setting
from dpa.bench.gpu.timing import milliseconds, replayed_milliseconds
from dpa.kernels import composite_crop, cuda, reference
from dpa.kernels.backends import EXTENSION
from dpa.kernels.cpu import CpuKernels
from dpa.kernels.inputs import Inputs, Kernels
from dpa.models.devices import current

EXACT = 1e-5
"""Largest absolute error of a pixel, and relative error of a gradient as a vector."""

SIZES = {"160²": (160, 64, 80), "1000²": (1000, 128, 128)}
"""Frame, decoded crop and view, pixels."""

# (box_from, box_to): where the person is, what is looked at
PLACES = {
    "the attack's crop": ((0.35, 0.65, 0.1, -0.1), (0.36, 0.63, 0.11, -0.09)),
    "the whole frame": ((0.35, 0.65, 0.1, -0.1), (1.0, 1.0, 0.0, 0.0)),
    "partly outside": ((0.5, 0.6, 0.8, -0.7), (0.9, 0.8, 0.3, -0.3)),
    "larger than the frame": ((0.5, 0.6, 0.1, 0.2), (1.7, 1.9, 0.1, 0.2)),
    "mirrored": ((-0.5, 0.6, 0.1, 0.2), (0.7, -0.6, 0.2, -0.1)),
}


@dataclass(frozen=True)
class Case:
    """What an operation gets: six tensors, the size of its result, and a gradient of that size."""

    inputs: Inputs
    size: int
    upstream: Tensor

    def moved(self) -> tuple[float, float]:
        """Bytes that forward and backward must move once: crop, mask, the plate's pixels in view and the
        result; backward reads them again with its gradient, and writes the crop's."""
        rgb, mask, _, plates, _, box = self.inputs
        height, width = plates.shape[-2:]
        reach = torch.tensor([width, height], device=box.device)
        seen = torch.minimum(
            box[:, :2].abs().clamp(max=1) * reach, torch.full_like(box[:, :2], 2.0 * self.size)
        )
        view = 3 * float(seen.prod(1).sum())
        crop, result = rgb.numel() + mask.numel(), self.upstream.numel()
        return 4 * (crop + view + result), 4 * (crop + view + result + rgb.numel())


def make_case(
    place: str, batch: int, sizes: tuple[int, int, int], device: torch.device, seed: int = 0
) -> Case:
    """Random values; boxes vary by a few per cent from sample to sample, but for the whole frame."""
    frame, crop, size = sizes
    dice = torch.Generator().manual_seed(seed)
    jitter = 1 + 0.04 * torch.rand(2, batch, 4, generator=dice)
    box_from, box_to = (torch.tensor([box]) for box in PLACES[place])
    whole = place == "the whole frame"
    inputs = Inputs(
        torch.rand(batch, 3, crop, crop, generator=dice),
        torch.rand(batch, 1, crop, crop, generator=dice),
        box_from * jitter[0],
        torch.rand(4, 3, frame, frame, generator=dice),
        torch.randint(0, 4, (batch,), generator=dice),
        box_to.expand(batch, 4).contiguous() if whole else box_to * jitter[1],
    )
    upstream = torch.randn(batch, 3, size, size, generator=dice)
    return Case(Inputs(*(tensor.to(device) for tensor in inputs)), size, upstream.to(device))


def builds(device: torch.device) -> dict[str, Callable[[], Kernels]]:
    """Every way of getting kernels for a device; in a rehearsal the CPU's take their place."""
    if device.type == "cuda":
        return {name: partial(way, device) for name, way in cuda.WAYS.items()}
    return {"compiled for the CPU": lambda: CpuKernels(EXTENSION)} if EXTENSION is not None else {}


def _devices(setting: Setting) -> Iterator[torch.device]:
    if setting.device.type != "cuda":
        yield torch.device("cpu")
        return
    for index in range(torch.cuda.device_count()):
        yield torch.device("cuda", index)


def compare(book: Notebook, setting: Setting) -> None:
    """Forward and all gradients, by every build on every device; then through the public function."""
    sizes = setting.pick(SIZES, {"40²": (40, 16, 20)})
    for device in _devices(setting):
        for name, build in builds(device).items():
            with current(device):
                _compare_build(book, name, build, device, sizes)
        for label, size in sizes.items():
            with book.entry(f"{device}: the public function and autograd, {label}") as found:
                _through_autograd(found, make_case("the attack's crop", 3, size, device, seed=5))
    with book.entry("a twin that is forced can be differentiated") as found:
        _forced_twin(found, setting.device, next(iter(sizes.values())))


def _compare_build(
    book: Notebook,
    name: str,
    build: Callable[[], Kernels],
    device: torch.device,
    sizes: dict[str, tuple[int, int, int]],
) -> None:
    kernels: Kernels | None = None
    with book.entry(f"{device}: {name} loads"):
        kernels = build()
    if kernels is None:
        return
    for label, size in sizes.items():
        for seed, place in enumerate(PLACES):
            with book.entry(f"{device}: {name}, {label}, {place}") as found:
                case = make_case(place, 3, size, device, seed)
                made = _run(kernels, case)
                expected = _exactly(case)
                found["pixels"] = float((made[0] - expected[0]).abs().max())
                for what, one, other in zip(
                    ("rgb", "mask", "box_from", "box_to"), made[1:], expected[1:], strict=True
                ):
                    found[what] = float((one - other).norm() / other.norm().clamp(min=1e-12))
                found.require(found["pixels"] < EXACT, f"every pixel to {EXACT} of the float64 twin's")
                worst = max(found[what] for what in ("rgb", "mask", "box_from", "box_to"))
                found.require(worst < EXACT, f"gradients to {EXACT} of the float64 twin's")
                again = _run(kernels, case)
                same = all(torch.equal(one, other) for one, other in zip(made, again, strict=True))
                found.require(same, "two runs that agree bit by bit")
    if device.type == "cuda":
        with book.entry(f"{device}: {name}, a plate index out of range") as found:
            case = make_case("the attack's crop", 3, next(iter(sizes.values())), device)
            case.inputs.plate_index[1] = 99
            out = _run(kernels, case)[0]
            found.require(
                bool(out[1].isnan().all() and out[[0, 2]].isfinite().all()), "NaN in that sample alone"
            )


def _run(kernels: Kernels, case: Case) -> list[Tensor]:
    """Result and four gradients, in memory that was poisoned before."""
    out = torch.full_like(case.upstream, torch.nan)
    kernels.forward(case.inputs, out)
    rgb, mask, box_from, _, _, box_to = case.inputs
    gradients: list[Tensor | None] = [torch.full_like(t, torch.nan) for t in (rgb, mask, box_from, box_to)]
    kernels.backward(case.inputs, case.upstream, gradients)
    return [out, *(gradient for gradient in gradients if gradient is not None)]


def _exactly(case: Case) -> list[Tensor]:
    """The same by the twin in float64."""
    rgb, mask, box_from, plates, plate_index, box_to = case.inputs
    leaves = [tensor.double().requires_grad_() for tensor in (rgb, mask, box_from, box_to)]
    out = reference.composite_crop(
        leaves[0], leaves[1], leaves[2], plates.double(), plate_index, leaves[3], case.size
    )
    return [out.detach(), *torch.autograd.grad(out, leaves, case.upstream.double())]


def _leaves(case: Case) -> tuple[list[Tensor], list[Tensor]]:
    given = [tensor.clone() for tensor in case.inputs]
    leaves = [given[place].requires_grad_() for place in (0, 1, 2, 5)]
    return given, leaves


def _through_autograd(found: dict[str, object], case: Case) -> None:
    given, leaves = _leaves(case)
    out = composite_crop(*given, case.size, backend="kernel")  # type: ignore[arg-type, misc]
    gradients = torch.autograd.grad(out, leaves, case.upstream)
    expected = _exactly(case)
    worst = max(
        float((one - other).norm() / other.norm()) for one, other in zip(gradients, expected[1:], strict=True)
    )
    found["gradients"] = worst
    if worst >= EXACT:
        raise AssertionError(f"gradients through autograd are off by {worst}")


def _forced_twin(found: dict[str, object], device: torch.device, size: tuple[int, int, int]) -> None:
    case = make_case("the attack's crop", 2, size, device, seed=6)
    expected = _exactly(case)
    with patch("dpa.kernels.fused.load", lambda device: None):
        for backend in ("twin", "auto"):  # chosen, and because nothing loads
            given, leaves = _leaves(case)
            out = composite_crop(*given, case.size, backend=backend)  # type: ignore[arg-type, misc]
            gradients = torch.autograd.grad(out, leaves, case.upstream)
            found[backend] = max(
                float((one - other).norm() / other.norm())
                for one, other in zip(gradients, expected[1:], strict=True)
            )
    if max(map(float, found.values())) > 1e-3:  # type: ignore[arg-type]
        raise AssertionError(f"the twin's gradients in float32 are off: {found}")


def measure(book: Notebook, setting: Setting) -> None:
    """GB/s of what must move, forward and backward, beside the same in two steps with grid_sample."""
    device = setting.device if setting.device.type == "cuda" else torch.device("cpu")
    made = builds(device)
    if not made:
        raise NotExecuted("kernels")
    kernels = next(iter(made.values()))()
    for label, size in setting.pick(SIZES, {"40²": (40, 16, 20)}).items():
        for place in ("the whole frame", "the attack's crop"):
            for batch in setting.pick((32, 256), (2,)):
                with book.entry(f"{label}, {place}, batch {batch}") as found:
                    cases = [make_case(place, batch, size, device, seed) for seed in range(3)]
                    forward, backward = cases[0].moved()
                    found["batch"] = batch
                    found["forward_ms"] = replayed_milliseconds([_forward(kernels, c) for c in cases], device)
                    wanted = {
                        "rgb": (True, False, False, False),
                        "rgb and box_to": (True, False, False, True),
                    }
                    for what, chosen in wanted.items():
                        calls = [_backward(kernels, c, chosen) for c in cases]
                        found[f"backward_ms {what}"] = replayed_milliseconds(calls, device)
                    found["forward_gb_per_s"] = forward / found["forward_ms"] / 1e6
                    found["backward_gb_per_s"] = backward / found["backward_ms rgb"] / 1e6
                    found["two_step_ms"] = milliseconds(partial(_two_steps, cases[0]), device, 0.1)
                    found["whole_ms"] = found["forward_ms"] + found["backward_ms rgb"]


def _forward(kernels: Kernels, case: Case) -> Callable[[], object]:
    out = torch.empty_like(case.upstream)
    return lambda: kernels.forward(case.inputs, out)


def _backward(kernels: Kernels, case: Case, wanted: tuple[bool, ...]) -> Callable[[], object]:
    rgb, mask, box_from, _, _, box_to = case.inputs
    room = [
        torch.empty_like(tensor) if want else None
        for tensor, want in zip((rgb, mask, box_from, box_to), wanted, strict=True)
    ]
    return lambda: kernels.backward(case.inputs, case.upstream, room)


def _two_steps(case: Case) -> None:
    """Forward and the gradient to the colours, with grid_sample twice."""
    rgb, mask, box_from, plates, plate_index, box_to = case.inputs
    leaf = rgb.detach().requires_grad_()
    out = reference.composite_crop(leaf, mask, box_from, plates, plate_index, box_to, case.size)
    torch.autograd.grad(out, leaf, case.upstream)
