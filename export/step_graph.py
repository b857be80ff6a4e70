"""The attack's step in an engine folder: value and gradient as one graph, `step`, judged against the eager
step before it is shipped."""

from pathlib import Path

from torch import Tensor

from dpa.engine.attack.objective import Objective
from dpa.engine.attack.steps.compiled import SEEDS, Agreement, CompiledStep, compare
from dpa.engine.attack.steps.eager import EagerStep
from dpa.engine.sessions.manifest import Parity
from dpa.engine.sessions.protocol import Session
from dpa.export.gradient import gradient_onnx
from dpa.models.atomic import write_bytes
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
    agreement = compare(CompiledStep(objective, (BATCH,), session), EagerStep(objective, (BATCH,)))
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
