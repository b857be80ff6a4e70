"""One value and gradient of the attack by every back-end, batch by batch: what `bench step` measures."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from dpa.bench.attack_rows import Task, load_task
from dpa.bench.config import StepBench
from dpa.bench.loop import count_loop
from dpa.bench.roofline import count, matmul_gflops, memory_gb_per_s
from dpa.bench.timing import measure, peak_mb
from dpa.engine.attack.algorithm import Preparation
from dpa.engine.attack.judge import Judge
from dpa.engine.attack.objective import Objective
from dpa.engine.attack.state import FrameBatch, Scene
from dpa.engine.attack.steps.choice import named_step
from dpa.engine.attack.steps.eager import StepBackend, autograd_step, no_prefix
from dpa.engine.runs.environment import versions
from dpa.export.gradient import CachedGradients
from dpa.kernels.reference import composite
from dpa.models.devices import device_name


def first_scene(task: Task, prefix: Callable[[Tensor], Tensor] | None = None) -> tuple[Tensor, Scene]:
    """h_a⁰ [n, A] and the scene of every sample. prefix: the step back-end's own (none: [n, 0])."""
    preparation = Preparation(
        task.generator,
        Judge(task.generator, task.target, task.plates),
        lambda frames: task.target.predict(frames).detach(),
        prefix or no_prefix,
        max_steps=0,
        min_error_mm=float("inf"),
    )
    number = torch.arange(len(task))
    slots = preparation.prepare(FrameBatch(number, task.frames, task.plate_index))
    return slots.h_a, slots.scene


def step_gflop(objective: Objective, h_a: Tensor, scene: Scene) -> float:
    """GFLOP of one sample's value and gradient, of convolutions and matrix products alone (a multiply-add
    is two). Taken from the eager step, so that a back-end that leaves out work is credited with the
    arithmetic of the task. h_a: [B, A]."""
    step = autograd_step(objective)
    return count(lambda: step(h_a, scene))[0] / len(h_a)


PLAIN = "plain"
STEPS = (PLAIN, "eager", "fused", "compiled")


def plain_step(objective: Objective, sizes: tuple[int, ...]) -> StepBackend:
    """What the plain loop does in a step: composes at full resolution, then runs the target on the frame."""
    return StepBackend(PLAIN, sizes, no_prefix, autograd_step(_PlainObjective(**vars(objective))))


class _PlainObjective(Objective):
    def __call__(self, h_a: Tensor, scene: Scene) -> tuple[Tensor, Tensor]:
        rgb = self.colours(h_a, scene)
        rgb = rgb.clamp(0, 1) if self.clamp else rgb
        frames = composite(rgb, scene.mask, scene.box, self.plates, scene.plate_index)
        pose = self.target.predict(frames)
        return (pose - scene.reference).norm(dim=-1).mean(dim=-1), pose


def measure_steps(
    task: Task,
    names: Sequence[str],
    batches: Sequence[int],
    duration_s: float,
    rounds: int,
    synchronise: Callable[[], object] = lambda: None,
) -> list[dict[str, Any]]:
    """One row a batch and back-end: step_ms (a call's median, of the median round), its percentiles
    p10_ms and p90_ms, samples_per_s, achieved_gflops (of the task's arithmetic, see step_gflop), gb_moved a
    call and flop_per_byte (None for a graph, which no counter sees into), peak_mb.

    The back-ends of one batch take turns `rounds` times. task: at least max(batches) samples are made of
    its own by repeating. duration_s: of one back-end at one batch, all rounds together.
    """
    objective = Objective(task.generator, task.target, task.plates, freeze_box=False, clamp=True)
    device = task.frames.device
    rows = []
    gflop = step_gflop(objective, *first_scene(task.part(0, 2)))
    for batch in batches:
        repeated = torch.arange(batch, device=device) % len(task)
        some = Task(
            task.generator, task.target, task.frames[repeated], task.plates, task.plate_index[repeated]
        )
        calls = {name: _call(name, objective, some, batch) for name in names}
        timings: dict[str, list[Any]] = {name: [] for name in names}
        for _ in range(rounds):
            for name, call in calls.items():
                share = duration_s / rounds
                timings[name].append(
                    measure(call, duration_s=share, warm_up_s=share / 4, synchronise=synchronise)
                )
        for name, call in calls.items():
            made = sorted(timings[name], key=lambda timing: timing.p50_s)[(rounds - 1) // 2]
            seconds = statistics.median(timing.p50_s for timing in timings[name])
            moved = None if name == "compiled" else count(call)[1]
            rows.append(
                {
                    "name": name,
                    "batch": batch,
                    "step_ms": 1e3 * seconds,
                    "p10_ms": 1e3 * made.p10_s,
                    "p90_ms": 1e3 * made.p90_s,
                    "samples_per_s": batch / seconds,
                    "achieved_gflops": gflop * batch / seconds,
                    "gb_moved": moved,
                    "flop_per_byte": gflop * batch / moved if moved else None,
                    "peak_mb": peak_mb(call, device),
                }
            )
    return rows


def _call(name: str, objective: Objective, task: Task, batch: int) -> Callable[[], object]:
    if name == PLAIN:
        backend = plain_step(objective, (batch,))
    else:
        backend = named_step(name, objective, (batch,), CachedGradients())
    h_a, scene = first_scene(task, backend.prefix)
    return lambda: backend.step(h_a, scene)


def plot_steps(
    rows: Sequence[Mapping[str, Any]], ceilings: Mapping[str, float], gb_per_s: float, path: Path
) -> None:
    """Writes both side by side to `path`, in the format of its suffix. ceilings: GFLOP/s of a matrix
    product by precision; gb_per_s: of a copy."""
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name in dict.fromkeys(row["name"] for row in rows):
        mine = [row for row in rows if row["name"] == name]
        line = left.plot(
            [row["batch"] for row in mine], [row["samples_per_s"] for row in mine], marker="o", label=name
        )[0]
        placed = [row for row in mine if row["flop_per_byte"]]
        right.scatter(
            [row["flop_per_byte"] for row in placed],
            [row["achieved_gflops"] for row in placed],
            color=line.get_color(),
            label=name if placed else f"{name} (bytes unknown)",
        )
    left.set(xlabel="batch", ylabel="samples/s of one step", ylim=(0, None))
    left.set_xscale("log", base=2)
    intensity = np.geomspace(1, 1000, 200)
    for precision, peak in ceilings.items():
        right.plot(intensity, np.minimum(peak, gb_per_s * intensity), label=f"matrix product, {precision}")
    right.set(xscale="log", yscale="log", xlabel="FLOP per byte moved", ylabel="GFLOP/s")
    for axes in (left, right):
        axes.legend(frameon=False)
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)


def bench_steps(settings: StepBench, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """The document that `bench step` prints. progress: of the evaluation set, where it has to be made."""
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    batches, names, device = settings.batch, settings.name, settings.device
    task = load_task(settings.source, settings.target, max(2, *batches), 0, device, progress)
    place = task.frames.device
    synchronise = torch.cuda.synchronize if place.type == "cuda" else lambda: None
    matmul = matmul_gflops(place, synchronise=synchronise)
    copied = memory_gb_per_s(place, synchronise=synchronise)
    rows = measure_steps(task, names, batches, settings.seconds, settings.rounds, synchronise)
    options = [str(settings.source)] if settings.source else []
    options += [f"--target {settings.target}", f"--seconds {settings.seconds:g}"]
    options += [f"--rounds {settings.rounds}", f"--device {device}", f"--threads {torch.get_num_threads()}"]
    for row in rows:
        row["command"] = " ".join(
            ["dpa-engine bench step", *options, f"--name {row['name']}", f"--batch {row['batch']}"]
        )
    chosen = [*(f"--name {one}" for one in names), *(f"--batch {size}" for size in batches)]
    counted = count_loop(task, frames=settings.frames) if settings.frames else {}  # last: it alters PyTorch
    return {
        "rows": rows,
        **counted,
        "device": device_name(place),
        "matmul_gflops": max(matmul.values()),
        "matmul_gflops_by_dtype": matmul,
        "achieved_gflops": max(row["achieved_gflops"] for row in rows),
        "memory_gb_per_s": copied,
        "versions": versions(),
        "command": " ".join(["dpa-engine bench step", *options, *chosen]),
    }
