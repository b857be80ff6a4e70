"""How far an engine is from fp32 torch, in the task's own unit. An engine over its limit is not
shipped."""

import numpy as np
import torch
from torch import Tensor

from dpa.engine.sessions.manifest import Parity
from dpa.engine.sessions.protocol import Session
from dpa.export.graphs import Graph
from dpa.export.probes import as_poses, probes
from dpa.models.errors import DpaError
from dpa.models.frameworks.base import DisentangledNetwork

LIMITS_MM = {"fp32": 1.0, "fp16": 1.0, "bf16": 1.0, "int8": 3.0}
"""What the mean shift may be by default, by precision (the project's choice)."""


class ParityError(DpaError):
    """An engine's poses are further from fp32 torch than its limit."""

    def __init__(self, name: str, parity: Parity) -> None:
        self.name, self.parity = name, parity
        super().__init__(
            f"{name}: its poses differ from fp32 torch by {parity.mean_mm:.4g} mm in the mean "
            f"(p99 {parity.p99_mm:.4g}, max {parity.max_mm:.4g}, {parity.samples} frames"
            f"{''.join(f'; {name} {value:.2g}' for name, value in parity.code_error.items())})\n"
            f"  expected: at most {parity.limit_mm:g} mm; the engine was not shipped\n"
            f"  to do:    export in a higher precision, or raise --limit if this is good enough"
        )


def measure_parity(
    network: DisentangledNetwork, graph: Graph, session: Session, frames: Tensor, limit_mm: float
) -> Parity:
    """Compare a session with the graph's own module in fp32.

    frames: [N, 3, H, W] float32 in [0, 1], held out from training. A shift that is not finite counts
    as the largest float, so that it fails every limit and still fits into JSON.
    """
    shifts: list[Tensor] = []
    wrong = {spec.name: 0.0 for spec in graph.outputs}
    scale = dict(wrong)
    for probe in probes(network, graph.name, frames):
        with torch.no_grad():
            made = graph.module(*(probe.feeds[spec.name] for spec in graph.inputs))
        values = made if isinstance(made, tuple) else (made,)
        truth = {spec.name: value for spec, value in zip(graph.outputs, values, strict=True)}
        given = {name: value.float() for name, value in session.run(probe.feeds).items()}
        distance = as_poses(network, probe, given) - as_poses(network, probe, truth)
        shifts.append(distance.double().norm(dim=-1).mean(dim=-1).cpu())
        for name, value in truth.items():
            wrong[name] += float((given[name] - value).double().square().sum())
            scale[name] += float(value.double().square().sum())
    shift = _finite(torch.cat(shifts).numpy())
    return Parity(
        samples=len(shift),
        mean_mm=float(shift.mean()) if shift.max() < LARGEST else LARGEST,
        p99_mm=float(np.percentile(shift, 99)),
        max_mm=float(shift.max()),
        limit_mm=limit_mm,
        code_error={name: float(_finite(np.sqrt(wrong[name] / max(scale[name], 1e-30)))) for name in wrong},
    )


LARGEST = float(np.finfo(np.float64).max)


def _finite(values: "np.typing.NDArray[np.float64] | np.float64") -> "np.typing.NDArray[np.float64]":
    return np.nan_to_num(np.asarray(values, dtype=np.float64), nan=LARGEST, posinf=LARGEST)


def within_limit(parity: Parity) -> bool:
    """Whether the mean shift keeps its limit."""
    return parity.mean_mm <= parity.limit_mm
