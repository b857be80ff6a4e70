"""The attack's step: graph against plain, fused against eager, the judge's precision, memory that runs out;
and how long a step takes."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from dpa.bench.attack_rows import Task
from dpa.bench.gpu.scene import objective_of, task
from dpa.bench.gpu.section import Entry, Notebook, NotExecuted, Setting
from dpa.bench.gpu.timing import milliseconds
from dpa.bench.stand_in import account
from dpa.bench.step import first_scene, step_gflop
from dpa.engine.attack.algorithm import appearance_attack
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.judge import Judge
from dpa.engine.attack.objective import Objective, mpjpe
from dpa.engine.attack.state import Scene
from dpa.engine.attack.steps.eager import StepBackend, StepResult, eager_step, probe
from dpa.engine.attack.steps.fused import fused_step
from dpa.engine.attack.steps.graphed import graphed
from dpa.models.devices import records_graphs, release_cached_memory
from dpa.models.training.config import Precision, set_precision

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
JUDGE_MM = 0.02
"""How near to a float64 pass the judge must be; TF32 is off by tenths of a millimetre."""


def compare(book: Notebook, setting: Setting) -> None:
    """What a faster step must not change."""
    given = task(setting, setting.pick(64, 4))
    objective = objective_of(given)
    for batch in setting.pick((1, 32), (2,)):
        for name, dtype in DTYPES.items():
            with book.entry(f"graph replay against the plain step, {name}, batch {batch}") as found:
                _replays(found, objective, batch, dtype)
    with book.entry("fused against eager") as found:
        _fused(found, objective, given, trained=not setting.rehearsal)
    precisions: tuple[Precision, ...] = ("fp32", "tf32", "bf16")
    for precision in precisions:
        with book.entry(f"the judge after {precision} training") as found:
            set_precision(precision, setting.device)
            try:
                _judged(found, given)
            finally:
                set_precision("fp32", setting.device)


def _replays(found: Entry, objective: Objective, batch: int, dtype: torch.dtype) -> None:
    device = objective.plates.device
    if not records_graphs(device):
        raise NotExecuted("CUDA graphs")
    with _plates_kept(objective), _heard() as lines:
        plain = fused_step(objective, (batch,), dtype)
        recorded = graphed(plain)
        for seed, words in enumerate(("first", "again", "plates changed")):
            if words == "plates changed":
                objective.plates.mul_(0.5).add_(0.2)
            h_a, scene = probe(objective, plain.prefix, batch, seed)
            made, expected = recorded.step(h_a, scene), plain.step(h_a, scene)
            found[words] = differences(made, expected)
    refused = [line for line in lines if "without a CUDA graph" in line]
    found.require(not refused, f"a graph that is recorded: {refused}")
    for words in ("first", "again", "plates changed"):
        _near(found, found[words], 0.5 if dtype == torch.bfloat16 else 0.01, 0.999)


def differences(made: StepResult, expected: StepResult) -> dict[str, float]:
    """Medians and worst over the samples: of the error in mm, of the gradient's direction and length."""
    apart = (made.error - expected.error).abs()
    cosine = torch.cosine_similarity(made.gradient, expected.gradient)
    length = made.gradient.norm(dim=1) / expected.gradient.norm(dim=1).clamp(min=1e-12)
    return {
        "error_mm": float(apart.median()),
        "worst_error_mm": float(apart.max()),
        "cosine": float(cosine.median()),
        "worst_cosine": float(cosine.min()),
        "length": float(length.median()),
    }


def _near(found: Entry, apart: dict[str, float], error_mm: float, cosine: float) -> None:
    found.require(apart["error_mm"] <= error_mm, f"errors within {error_mm} mm in the median: {apart}")
    found.require(apart["cosine"] >= cosine, f"gradients with a cosine of {cosine} in the median: {apart}")
    found.require(abs(apart["length"] - 1) < 0.1, f"gradients as long, to 10 %: {apart}")


def _fused(found: Entry, objective: Objective, given: Task, trained: bool) -> None:
    """trained: whether bf16 is judged as well; a network that was not trained has nothing but kinks."""
    count = len(given)
    for name, dtype in DTYPES.items():
        fused, eager = fused_step(objective, (count,), dtype), eager_step(objective, (count,))
        h_a, scene = first_scene(given, fused.prefix)
        dice = torch.Generator().manual_seed(1)
        h_a = h_a + 0.3 * torch.randn(h_a.shape, generator=dice).to(h_a)
        found[name] = differences(fused.step(h_a, scene), eager.step(h_a, scene))
    _near(found, found["float32"], 0.1, 0.999)
    if trained:
        _near(found, found["bfloat16"], 3.0, 0.97)


def _judged(found: Entry, given: Task) -> None:
    h_a, scene = first_scene(given)
    verdict = Judge(given.generator, given.target, given.plates)(h_a, scene)
    target = copy.deepcopy(given.target).double()  # type: ignore[attr-defined]
    with torch.no_grad():
        pose: Tensor = target.predict(verdict.frames.double() / 255)
    exact = mpjpe(pose, scene.reference.double())
    found["worst_mm"] = float((verdict.error - exact).abs().max())
    found.require(found["worst_mm"] < JUDGE_MM, f"verdicts within {JUDGE_MM} mm of a float64 pass")


@contextmanager
def _plates_kept(objective: Objective) -> Iterator[None]:
    before = objective.plates.clone()
    try:
        yield
    finally:
        objective.plates.copy_(before)


def memory(book: Notebook, setting: Setting) -> None:
    """An attack in a memory that does not hold its batch ends as one that does."""
    set_precision("fp32", setting.device)
    count = setting.pick(128, 8)
    given = task(setting, count)
    config = AttackConfig(backend="eager", batch=count, max_steps=3, min_error_mm=1e6)
    for backend in ("eager", "fused"):
        with book.entry(f"half of a batch waits where memory runs out, {backend}") as found:
            tried = config.model_copy(update={"backend": backend})
            arguments = (given.generator, given.target, given.frames, given.plates, given.plate_index, tried)
            if setting.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(setting.device)
            whole = appearance_attack(*arguments)
            with _heard() as lines, _squeezed(setting.device, given, found):
                squeezed = appearance_attack(*arguments)
            apart = (squeezed.final_error_mm - whole.final_error_mm).abs()
            found |= {"median_mm": float(apart.median()), "worst_mm": float(apart.max()), "said": lines[:3]}
            found.require(any("out of memory" in line for line in lines), "a batch that was halved")
            found.require(found["median_mm"] < 0.5, "final errors within 0.5 mm in the median")


@contextmanager
def _heard() -> Iterator[list[str]]:
    import logging

    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage()[:300])

    handler = Handler(logging.INFO)
    log = logging.getLogger("dpa")
    log.addHandler(handler)
    level = log.level
    log.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


@contextmanager
def _squeezed(device: torch.device, given: Task, found: Entry) -> Iterator[None]:
    """Of the memory that the attack took beyond what is held now, 60 % remain."""
    if device.type != "cuda":
        account.limit_bytes = int(1.2 * given.frames.numel() * 4)
        yield
        account.clear()
        return
    release_cached_memory(device)
    held, total = torch.cuda.memory_allocated(device), torch.cuda.get_device_properties(device).total_memory
    most = torch.cuda.max_memory_allocated(device)
    allowed = held + 0.6 * (most - held)
    found |= {"held_mb": held / 1e6, "most_mb": most / 1e6, "allowed_mb": allowed / 1e6}
    torch.cuda.set_per_process_memory_fraction(allowed / total, device)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)


def measure(book: Notebook, setting: Setting) -> None:
    """A step by back-end, batch and frame, with and without a graph."""
    device = setting.device
    for label, side in setting.pick({"160²": None, "1000²": 1000}, {"160²": None}).items():
        given = task(setting, setting.pick(16, 2), side)
        objective = objective_of(given)
        gflop = step_gflop(objective, *first_scene(given.part(0, 2)))
        for batch in setting.pick((1, 32, 256), (1, 2)):
            for name in ("eager", "fused", "fused as a graph"):
                with book.entry(f"{label}, {name}, batch {batch}") as found:
                    if name == "fused as a graph" and not records_graphs(device):
                        raise NotExecuted("CUDA graphs")
                    backend = _backend(name, objective, batch)
                    h_a, scene = _many(objective, backend, batch)
                    if device.type == "cuda":
                        torch.cuda.reset_peak_memory_stats(device)
                    step_ms = milliseconds(lambda: backend.step(h_a, scene), device, setting.pick(0.3, 0.05))  # noqa: B023
                    found |= {
                        "batch": batch,
                        "step_ms": step_ms,
                        "samples_per_s": 1e3 * batch / step_ms,
                        "achieved_gflops": gflop * batch / step_ms * 1e3,
                    }
                    if device.type == "cuda":
                        found["peak_mb"] = torch.cuda.max_memory_allocated(device) / 1e6


def _backend(name: str, objective: Objective, batch: int) -> StepBackend:
    if name == "eager":
        return eager_step(objective, (batch,))
    step = fused_step(objective, (batch,))
    return graphed(step) if name == "fused as a graph" else step


def _many(objective: Objective, backend: StepBackend, batch: int) -> tuple[Tensor, Scene]:
    """Probes of any number: 32 at once, so that full-resolution frames of all need no room."""
    h_a, scene = probe(objective, backend.prefix, min(batch, 32), seed=0)
    rows = torch.arange(batch, device=h_a.device) % len(h_a)
    return h_a[rows], scene.take(rows)
