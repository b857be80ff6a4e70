"""dpa.models.frameworks: one file a framework (its objective); base.py is what all of them offer."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dpa.models.frameworks.objective import Objective
    from dpa.models.training.config import TrainConfig


def make_objective(config: "TrainConfig", pose_dim: int) -> "Objective":
    """The objective that a training configuration names."""
    from dpa.models.data.augmentation import make_augmentation
    from dpa.models.frameworks.cssl import CSSL
    from dpa.models.frameworks.drnet import DRNet
    from dpa.models.frameworks.nsd import NSD

    augment = make_augmentation(config.augment, config.augmentation)
    if config.framework == "cssl":
        return CSSL(config.weights, config.cssl, config.swap_appearance, augment)
    if config.framework == "drnet":
        return DRNet(pose_dim, config.weights, config.drnet, augment)
    return NSD(config.weights, config.swap_appearance, augment)
