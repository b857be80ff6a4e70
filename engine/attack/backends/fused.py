"""The fast step: the same objective on copies of the networks that waste less.

Batch normalisation is folded, convolutions of encoder and decoder run in bf16 with channels last, the
pose part of the decoder is computed once a sample, the mask's channel is skipped. The localiser, sampling,
read-outs and the error stay float32. The judge never sees these copies.
"""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from dpa.engine.attack.backends.eager import EagerStep
from dpa.engine.attack.backends.folding import Lowered, fold_batch_norms
from dpa.engine.attack.backends.split_decoder import SplitDecoder
from dpa.engine.attack.objective import Objective
from dpa.engine.attack.roles import Generator, Target
from dpa.engine.attack.scene import Scene
from dpa.models.errors import InputError
from dpa.models.frameworks.base import DisentangledNetwork


class NotFusable(InputError):
    """The back-end knows the inside of this project's networks only."""

    def __init__(self, network: object) -> None:
        super().__init__(
            f"a {type(network).__name__} for the fused back-end",
            "networks of the class DisentangledNetwork",
            "use --backend eager",
        )


@dataclass(frozen=True)
class FusedObjective(Objective):
    """Objective whose colours come from a split decoder and the scene's prefix."""

    decoder: SplitDecoder

    def colours(self, h_a: Tensor, scene: Scene) -> Tensor:
        """See Objective.colours."""
        rgb: Tensor = self.decoder(h_a, scene.prefix)
        return rgb


class FusedStep(EagerStep):
    """EagerStep on folded, lowered copies. dtype: of the convolutions (float32 makes it exact)."""

    name = "fused"
    objective: FusedObjective

    def __init__(
        self, objective: Objective, sizes: tuple[int, ...], dtype: torch.dtype = torch.bfloat16
    ) -> None:
        fused = FusedObjective(
            generator=objective.generator,
            target=lowered(objective.target, dtype),
            plates=objective.plates,
            freeze_box=objective.freeze_box,
            clamp=objective.clamp,
            decoder=SplitDecoder(own_copy(objective.generator).decoder, dtype),
        )
        super().__init__(fused, sizes)

    def prefix(self, pose_code: Tensor) -> Tensor:
        """The pose part of the decoder: [B, P] → [B, C, 2·start, 2·start]."""
        with torch.no_grad():
            return self.objective.decoder.prefix(pose_code)


def lowered(target: Target, dtype: torch.dtype) -> DisentangledNetwork:
    """A copy of the target with folded batch normalisation and a lowered encoder. The localiser keeps
    its precision: its box moves the whole crop, and with it the gradient. Raises NotFusable."""
    network = own_copy(target)
    fold_batch_norms(network)
    own = next(network.parameters()).dtype
    network.localiser.trunk = Lowered(network.localiser.trunk, own)  # type: ignore[assignment]
    network.encoder.trunk = Lowered(network.encoder.trunk, dtype)  # type: ignore[assignment]
    network.encoder.head = Lowered(network.encoder.head, dtype)  # type: ignore[assignment]
    return network.requires_grad_(False)


def own_copy(network: Generator | Target) -> DisentangledNetwork:
    """A copy to change, so that the judge's network stays untouched."""
    if not isinstance(network, DisentangledNetwork):
        raise NotFusable(network)
    return copy.deepcopy(network).requires_grad_(False)
