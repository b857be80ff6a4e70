"""A compiled step is admitted only after its gradient has been compared with eager's: runtimes have been
seen to return a wrong one without a word (STACK, CPU attack step)."""

from dataclasses import dataclass

import torch

from dpa.engine.attack.backends.eager import EagerStep
from dpa.engine.attack.backends.probes import probe
from dpa.engine.attack.backends.protocol import StepBackend
from dpa.models.errors import DpaError

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


def compare(step: StepBackend, eager: EagerStep) -> Agreement:
    """On len(SEEDS) inputs of the step's smallest size. Both steps have the same objective."""
    error, cosine, length = [], [], []
    for seed in SEEDS:
        h_a, scene = probe(eager.objective, step.prefix, step.sizes[0], seed)
        ours, truth = step(h_a, scene), eager(h_a, scene)
        error.append((ours.error - truth.error).abs())
        lengths = ours.gradient.norm(dim=1), truth.gradient.norm(dim=1)
        neither = torch.maximum(*lengths) < NO_GRADIENT
        cosine.append(torch.cosine_similarity(ours.gradient, truth.gradient).where(~neither, 1))
        length.append((lengths[0] / lengths[1].clamp(min=NO_GRADIENT) - 1).abs().where(~neither, 0))
    return Agreement(
        float(torch.cat(error).max()), float(torch.cat(cosine).min()), float(torch.cat(length).median())
    )


def admit(step: StepBackend, eager: EagerStep) -> Agreement:
    """Raises WrongGradient with the figures."""
    agreement = compare(step, eager)
    if not agreement.admitted:
        raise WrongGradient(step.name, agreement)
    return agreement
