"""One engine: its file, its plan where it has one, and its distance to fp32 torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from dpa.engine.sessions.manifest import Backend, EngineEntry, Parity
from dpa.engine.sessions.protocol import Session
from dpa.export.graphs import GRAPHS, UnknownGraph, build_graph
from dpa.export.parity import measure_parity, within_limit
from dpa.export.plans import session_to_judge, write_plan
from dpa.export.step_graph import STEP, measure_step, write_step
from dpa.export.variants import BACKENDS, Variant
from dpa.export.verdicts import JUDGES, Trial, call_again
from dpa.models.frameworks.base import DisentangledNetwork

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
