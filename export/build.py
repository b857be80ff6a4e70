"""From a trained network to an engine folder: write each variant of each graph, open it as it will be
opened, compare it with fp32 torch, ship what keeps its limit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from dpa.engine.attack.objective import Objective
from dpa.engine.attack.steps.compiled import SEEDS, Agreement, compare, session_step
from dpa.engine.sessions.errors import RefusedModel
from dpa.engine.sessions.manifest import Backend, EngineEntry, Parity
from dpa.engine.sessions.protocol import Session
from dpa.engine.sessions.tensorrt_plans import this_place
from dpa.export.config import BUCKETS
from dpa.export.engine_writer import replacing_folder, write_manifest
from dpa.export.gradient import gradient_onnx
from dpa.export.graphs import GRAPHS, UnknownGraph, build_graph
from dpa.export.parity import (
    JUDGES,
    LIMITS_MM,
    ParityError,
    Trial,
    call_again,
    make_trial,
    measure_parity,
    within_limit,
)
from dpa.export.variants import BACKENDS, Variant, session_to_judge, write_plan
from dpa.models.atomic import write_bytes, write_json
from dpa.models.errors import DpaError
from dpa.models.frameworks.base import DisentangledNetwork

STEP = "step"
BATCH = 4
"""Samples at a time in the comparison; there are len(SEEDS) of these."""


def step_objective(network: DisentangledNetwork, frames: Tensor) -> Objective:
    """The network attacked through itself, as `attack` does by default. frames [N, 3, H, W] stand in for
    plates; only their size goes into the graph."""
    return Objective(network, network, frames[:BATCH], freeze_box=False, clamp=True)


def write_step(network: DisentangledNetwork, frames: Tensor, folder: Path) -> Path:
    """Write step.fp32.onnx; see dpa.export.gradient for its inputs and outputs and what it raises."""
    path = folder / f"{STEP}.fp32.onnx"
    if not path.exists():
        write_bytes(path, gradient_onnx(step_objective(network, frames)))
    return path


def measure_step(
    network: DisentangledNetwork, session: Session, frames: Tensor, limit_mm: float
) -> tuple[Parity, Agreement]:
    """A session of the graph against the eager step. The shift is that of the error, in mm, and all three
    figures are the largest one; code_error tells of the gradient."""
    objective = step_objective(network, frames)
    agreement = compare(session_step(objective, (BATCH,), session), objective)
    shift = agreement.error_mm
    gradient = {"gradient: 1 - cosine": 1 - agreement.cosine, "gradient: length": agreement.length}
    parity = Parity(
        samples=BATCH * len(SEEDS),
        mean_mm=shift,
        p99_mm=shift,
        max_mm=shift,
        limit_mm=limit_mm,
        code_error=gradient,
    )
    return parity, agreement


ALL_GRAPHS = (*GRAPHS, STEP)
"""What export writes by default: the network's graphs, and the attack's step."""


@dataclass(frozen=True)
class Job:
    """What all engines of one folder have in common; see build_engines."""

    network: DisentangledNetwork
    folder: Path
    frames: Tensor
    calibration: Tensor
    limits_mm: Mapping[str, float]
    buckets: Sequence[int]
    trial: Trial | None = None


def check_graphs(names: Sequence[str]) -> None:
    """Raises UnknownGraph for a name that is not in ALL_GRAPHS."""
    for name in names:
        if name not in ALL_GRAPHS:
            raise UnknownGraph(f"graph {name!r}", f"one of {', '.join(ALL_GRAPHS)}", "name one of these")


def make_engine(job: Job, name: str, variant: Variant) -> tuple[EngineEntry, bool]:
    """Write the engine's files into the folder and judge it: its entry, and whether it may be shipped."""
    network, frames = job.network, job.frames
    path = (
        write_step(network, frames, job.folder)
        if name == STEP
        else variant.write(network, build_graph(network, name), job.folder, job.calibration)
    )
    height, width = frames.shape[-2:]
    plan = write_plan(path, (height, width), job.buckets) if variant.backend == "tensorrt" else None
    session = session_to_judge(path, variant, plan)
    parity, good = _judge(job, name, session, job.limits_mm[variant.precision])
    entry = EngineEntry(
        graph=name,
        backend=variant.backend,
        precision=variant.precision,
        file=path.name,
        device=session.device,
        buckets=() if plan is None else plan.identity.buckets,
        plan=plan,
        parity=parity,
        parity_on=_backend(session),
    )
    return entry, good


def _judge(job: Job, name: str, session: Session, limit_mm: float) -> tuple[Parity, bool]:
    if name == STEP:
        parity, agreement = measure_step(job.network, session, job.frames, limit_mm)
        return parity, within_limit(parity) and agreement.admitted
    graph = build_graph(job.network, name)
    parity = measure_parity(job.network, graph, session, job.frames, limit_mm)
    if job.trial is not None and name in JUDGES:
        verdicts = call_again(job.network, graph, session, job.trial)
        parity = parity.model_copy(update={"verdicts": verdicts})
    return parity, within_limit(parity)


def _backend(session: Session) -> Backend:
    return next(name for name in BACKENDS.values() if name == session.backend)


REPORT = "parity.json"


@dataclass(frozen=True)
class Refusal:
    """An engine that its back-end does not take, and the error's own first line."""

    graph: str
    backend: str
    precision: str
    reason: str


class EngineRefused(DpaError):
    """A back-end refused a graph; the other engines are where they belong."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(
            f"{refusal.graph} in {refusal.precision} was not shipped: {refusal.reason}\n"
            f"  to do:    leave it out with --graphs, or choose another back-end than {refusal.backend}"
        )


@dataclass(frozen=True)
class BuildReport:
    """shipped: engines in the folder; rejected: those over their limit, whose files are gone; refused:
    those that could not be opened or built."""

    shipped: tuple[EngineEntry, ...]
    rejected: tuple[EngineEntry, ...]
    refused: tuple[Refusal, ...] = ()

    def as_json(self) -> dict[str, list[dict[str, object]]]:
        """What parity.json holds and `--json` prints."""
        return {
            "shipped": [entry.model_dump(mode="json") for entry in self.shipped],
            "rejected": [entry.model_dump(mode="json") for entry in self.rejected],
            "refused": [dict(vars(refusal)) for refusal in self.refused],
        }

    def raise_rejected(self) -> None:
        """Raise the ParityError or EngineRefused of the first engine that was not shipped, if any."""
        for entry in self.rejected:
            raise ParityError(entry.file, entry.parity)
        for refusal in self.refused:
            raise EngineRefused(refusal)


def build_engines(
    network: DisentangledNetwork,
    out: Path,
    variants: Sequence[Variant],
    frames: Tensor,
    calibration: Tensor,
    *,
    source: str,
    graphs: Sequence[str] = ALL_GRAPHS,
    limits_mm: Mapping[str, float] = LIMITS_MM,
    buckets: Sequence[int] = BUCKETS,
    judged: int = 0,
    progress: Callable[[str], None] | None = None,
) -> BuildReport:
    """Write the engine folder `out` with every variant of every graph that keeps its parity limit.

    frames: [N, 3, H, W] in [0, 1], held out from training, for parity; calibration: the same, other
    frames, for INT8's ranges; source: the network as it was named; buckets: batch sizes of TensorRT
    plans, which also fix the frame size to that of `frames`; judged: so many of `frames` are attacked, and
    every engine that can judge is asked for its verdicts. parity.json keeps every figure, those of
    rejected engines included. A precision that a graph does not have is left out. Whatever
    raises leaves `out` as it was; NotOurs where it holds something else than engines.
    """
    check_graphs(graphs)
    if any(variant.backend == "tensorrt" for variant in variants):
        this_place()  # a missing builder is better named before minutes of exporting
    shipped: list[EngineEntry] = []
    rejected: list[EngineEntry] = []
    refused: list[Refusal] = []
    with replacing_folder(out) as work:
        if judged and progress is not None:
            progress(f"attacks on {judged} frames, for the verdicts")
        trial = make_trial(network, frames[:judged]) if judged and not JUDGES.isdisjoint(graphs) else None
        job = Job(network, work, frames, calibration, limits_mm, buckets, trial)
        for name in graphs:
            for variant in (one for one in variants if one.takes(name)):
                if progress is not None:
                    progress(f"{name} {variant.backend} {variant.precision}")
                try:
                    entry, good = make_engine(job, name, variant)
                except RefusedModel as error:
                    refused.append(Refusal(name, variant.backend, variant.precision, error.found))
                    continue
                (shipped if good else rejected).append(entry)
        kept = {entry.file for entry in shipped} | {e.plan.file for e in shipped if e.plan is not None}
        for path in work.iterdir():
            if path.name not in kept:
                path.unlink()
        report = BuildReport(tuple(shipped), tuple(rejected), tuple(refused))
        write_json(work / REPORT, report.as_json())
        write_manifest(work, network, source, shipped)
    return report
