"""Value and gradient as one exported graph, run by ONNX Runtime.

It is admitted only after its gradient has been compared with eager's: runtimes have been seen to return a
wrong one without a word.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from dpa.engine.attack.objective import Objective
from dpa.engine.attack.state import Scene
from dpa.engine.attack.steps.eager import StepBackend, StepResult, autograd_step, probe
from dpa.engine.attack.steps.fused import own_copy, without_pose
from dpa.engine.sessions.onnxruntime_session import OnnxRuntimeSession
from dpa.engine.sessions.protocol import Session
from dpa.models.errors import DpaError, InputError

SEEDS = (11, 12, 13)
"""One input would not do: a gradient baked in as a constant is right for exactly one."""
ERROR_MM, COSINE, LENGTH = 0.1, 0.99, 0.02
"""Largest difference of the error, least cosine of the gradient in any sample, largest relative
difference of its length in the median (a sample beside a kink of a ReLU may differ; the project's
choice: fp32 graphs were measured at 0.0001 mm and 1.0000)."""

NO_GRADIENT = 1e-12
"""A length below which there is no gradient and no direction, as with `silhouette`."""


@dataclass(frozen=True)
class Agreement:
    """Of a step with the eager one, over all samples of all inputs."""

    error_mm: float
    cosine: float
    length: float

    @property
    def admitted(self) -> bool:
        """Whether all three keep their limits; a NaN keeps none."""
        return self.error_mm <= ERROR_MM and self.cosine >= COSINE and self.length <= LENGTH

    def __str__(self) -> str:
        return (
            f"error off by at most {self.error_mm:.3g} mm, cosine of the gradient at least "
            f"{self.cosine:.4f}, its length off by {100 * self.length:.2g} % in the median"
        )


class WrongGradient(DpaError):
    """A step's value or gradient is not eager's."""

    def __init__(self, name: str, agreement: Agreement) -> None:
        self.agreement = agreement
        super().__init__(
            f"the step back-end {name} is refused: {agreement}\n"
            f"  expected: at most {ERROR_MM} mm, at least {COSINE}, at most {100 * LENGTH:g} %\n"
            "  to do:    use --backend fused or eager"
        )


def compare(backend: StepBackend, objective: Objective) -> Agreement:
    """With the eager step of the same objective, on len(SEEDS) inputs of the back-end's smallest size."""
    eager = autograd_step(objective)
    error, cosine, length = [], [], []
    for seed in SEEDS:
        h_a, scene = probe(objective, backend.prefix, backend.sizes[0], seed)
        ours, truth = backend.step(h_a, scene), eager(h_a, scene)
        error.append((ours.error - truth.error).abs())
        lengths = ours.gradient.norm(dim=1), truth.gradient.norm(dim=1)
        neither = torch.maximum(*lengths) < NO_GRADIENT
        cosine.append(torch.cosine_similarity(ours.gradient, truth.gradient).where(~neither, 1))
        length.append((lengths[0] / lengths[1].clamp(min=NO_GRADIENT) - 1).abs().where(~neither, 0))
    return Agreement(
        float(torch.cat(error).max()), float(torch.cat(cosine).min()), float(torch.cat(length).median())
    )


def admit(backend: StepBackend, objective: Objective) -> Agreement:
    """Raises WrongGradient with the figures."""
    agreement = compare(backend, objective)
    if not agreement.admitted:
        raise WrongGradient(backend.name, agreement)
    return agreement


class GradientExporter(Protocol):
    """Makes value and gradient of an objective into one graph and keeps it. The engine imports nothing of
    the room that exports, so whoever starts an attack passes one in: dpa.export.gradient.CachedGradients."""

    def graph(self, objective: Objective, /) -> bytes:
        """The serialised graph; takes seconds unless it is kept already."""
        ...

    def kept(self, objective: Objective, /) -> bool:
        """Whether `graph` has it at once."""
        ...


class NoExporter(InputError):
    """A compiled step was asked for and nobody can compile it."""

    def __init__(self) -> None:
        super().__init__(
            "no exporter for the compiled step",
            "one that is passed in",
            "pass exporter=dpa.export.gradient.CachedGradients(), or use the back-end fused",
        )


def session_step(objective: Objective, sizes: tuple[int, ...], session: Session) -> StepBackend:
    """A step on a session whose inputs and outputs are those of dpa.export.gradient. Raises NotFusable for
    networks that are not the project's."""
    network = own_copy(objective.generator)
    decoder = without_pose(network.decoder, next(network.parameters()).dtype)

    def prefix(pose_code: Tensor) -> Tensor:
        with torch.no_grad():
            return decoder.prefix(pose_code).contiguous()

    def step(h_a: Tensor, scene: Scene) -> StepResult:
        feeds = {
            "h_a": h_a,
            "prefix": scene.prefix,
            "mask": scene.mask,
            "box": scene.box,
            "background": objective.plates[scene.plate_index],
            "reference": scene.reference,
        }
        made = session.run(feeds)
        return StepResult(made["error"], made["gradient"])

    return StepBackend("compiled", sizes, prefix, step)


def compiled_step(
    objective: Objective, sizes: tuple[int, ...], exporter: GradientExporter | None
) -> StepBackend:
    """The compiled step, exported where it is not kept, and admitted. Raises NoExporter, WrongGradient,
    ExportFailed, MissingPackage without onnxruntime, NotFusable for networks that are not the project's."""
    if exporter is None:
        raise NoExporter
    session = OnnxRuntimeSession(exporter.graph(objective), str(objective.plates.device))
    backend = session_step(objective, sizes, session)
    admit(backend, objective)
    return backend
