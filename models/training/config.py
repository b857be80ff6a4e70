"""What fixes a training run, and in which arithmetic it computes."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Literal

import torch
from pydantic import Field, model_validator

from dpa.models.config import Config, Seed
from dpa.models.data.augmentation import AugmentationRanges, Kind
from dpa.models.frameworks.cssl import CSSLWeights
from dpa.models.frameworks.drnet import DRNetWeights
from dpa.models.frameworks.oracle_swap import OracleWeights
from dpa.models.frameworks.reconstruction import ReconstructionWeights
from dpa.models.frameworks.silhouette import SilhouetteWeights
from dpa.models.frameworks.witness import WitnessWeights
from dpa.models.networks.config import PRESETS, NetworkConfig

Precision = Literal["fp32", "tf32", "bf16"]
"""bf16: autocast, fp32 weights; on a GPU the rest in TF32. tf32: matrix products and convolutions on a GPU
in TF32, plain fp32 on a CPU, which has no such thing. fp32: IEEE single precision throughout."""


def set_precision(precision: Precision, device: torch.device) -> None:
    """Allows or forbids TF32 in the GPU's libraries, which forbid it in products but not in convolutions
    unless told, and lets cuDNN try which of its convolutions are fastest at sizes that never change."""
    if device.type != "cuda":
        return
    torch.backends.cudnn.benchmark = True
    chosen = "ieee" if precision == "fp32" else "tf32"
    torch.backends.cuda.matmul.fp32_precision = chosen
    torch.backends.cudnn.conv.fp32_precision = chosen  # type: ignore[attr-defined]


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[None]:
    """The context of a forward pass."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


class RefinementConfig(Config):
    """The last phase, in which the decoder alone learns (`training/phases.py`). code: weight of the pose
    code's error, relative to its spread over the batch. box: weight of the box's, relative to the box's
    scale. features: of what the encoder's layers see, relative to what they see in the original; matching:
    likewise of a patch discriminator's layers; adversarial: of that discriminator's verdict. At 0, their
    default, there is no discriminator, and pictures are as sharp as squared errors make them."""

    code: float = 0.02
    box: float = 0.2
    features: float = Field(0.0, ge=0)
    matching: float = Field(0.0, ge=0)
    adversarial: float = Field(0.0, ge=0)
    steps: int = Field(0, ge=0, description="steps of refinement, after those of joint training")
    rate: float = Field(0.5, gt=0, description="its peak learning rate, as a share of the joint one")

    @property
    def judged(self) -> bool:
        """Whether a discriminator takes part."""
        return self.steps > 0 and (self.matching > 0 or self.adversarial > 0)


class TrainConfig(Config):
    """Settings of `dpa-engine train`. Adam at 1e-3 is NSD's; batch, schedule and lengths are ours."""

    framework: Literal["nsd", "cssl", "drnet", "silhouette", "entangled", "oracle-swap", "witness"] = "nsd"
    preset: Literal["tiny", "small", "medium", "paper"] = "small"
    sizes: NetworkConfig | None = Field(None, description="a network's sizes, in place of a preset's")
    initial: str | None = Field(None, description="a network to begin with: zoo:NAME or a run; its φ stays")
    steps: int = Field(20_000, ge=0, description="steps of joint training, the localiser's start included")
    minutes: float | None = Field(
        None, gt=0, description="when to end: the plan of all the steps is stretched or squeezed to this time"
    )
    batch: int = Field(64, ge=4)
    learning_rate: float = Field(1e-3, gt=0)
    warm_up: int = Field(200, ge=0)
    localiser_start: int = Field(1000, ge=0, description="steps of background-subtraction start of S")
    mask_start: int = Field(3000, ge=0, description="steps over which background subtraction lets go of M")
    refinement: RefinementConfig = RefinementConfig()
    localiser_rate: float = Field(0.1, ge=0, description="S's learning rate, as a share of the others'")
    precision: Precision = "bf16"
    seed: Seed = 0
    held_out: float = Field(0.05, gt=0, lt=1, description="share of sequences kept for validation")
    swap_appearance: bool = True
    augment: Kind = "none"
    augmentation: AugmentationRanges = AugmentationRanges()
    weights: ReconstructionWeights = ReconstructionWeights()
    cssl: CSSLWeights = CSSLWeights()
    drnet: DRNetWeights = DRNetWeights()
    silhouette: SilhouetteWeights = SilhouetteWeights()
    oracle: OracleWeights = OracleWeights()
    witness: WitnessWeights = WitnessWeights()
    log_every: int = Field(50, ge=1)
    validate_every: int = Field(1000, ge=1)
    checkpoint_every: int = Field(500, ge=1)
    resident: bool = Field(False, description="all frames in the GPU's memory, instead of a batch at a time")
    compiled: bool = Field(False, description="the networks by torch.compile: slow to begin, then faster")

    @model_validator(mode="after")
    def _some_steps(self) -> "TrainConfig":
        if self.total_steps == 0:
            raise ValueError("a step of joint training or of refinement at least")
        return self

    @classmethod
    def of(cls, described: Mapping[str, object]) -> "TrainConfig":
        """The settings in what a checkpoint says of its training, which tells other things too."""
        return cls.model_validate({name: described[name] for name in cls.model_fields if name in described})

    @property
    def network_sizes(self) -> NetworkConfig:
        """Of the network to be trained."""
        return self.sizes or PRESETS[self.preset]()

    @property
    def total_steps(self) -> int:
        """Joint training and refinement; where `minutes` are set, of the plan."""
        return self.steps + self.refinement.steps
