"""dpa.models.frameworks: one file a framework (its objective); base.py is what all of them offer."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dpa.models.frameworks.base import DisentangledNetwork
    from dpa.models.frameworks.objective import Objective
    from dpa.models.networks.config import NetworkConfig
    from dpa.models.training.config import TrainConfig

PAPER_NAMES = {"nsd": "NSD", "drnet": "DRNet", "cssl": "CSSL"}
"""How the paper writes its frameworks."""


def make_network(config: "NetworkConfig", framework: str) -> "DisentangledNetwork":
    """An untrained network of a framework."""
    from dpa.models.frameworks.base import DisentangledNetwork
    from dpa.models.frameworks.silhouette import SilhouetteNetwork

    return (SilhouetteNetwork if framework == "silhouette" else DisentangledNetwork)(config, framework)


def make_objective(config: "TrainConfig", pose_dim: int) -> "Objective":
    """The objective that a training configuration names."""
    from dpa.models.data.augmentation import make_augmentation
    from dpa.models.frameworks.cssl import CSSL
    from dpa.models.frameworks.drnet import DRNet
    from dpa.models.frameworks.entangled import Entangled
    from dpa.models.frameworks.nsd import NSD
    from dpa.models.frameworks.oracle_swap import OracleSwap
    from dpa.models.frameworks.silhouette import Silhouette

    augment = make_augmentation(config.augment, config.augmentation)
    if config.framework == "cssl":
        return CSSL(config.weights, config.cssl, config.swap_appearance, augment)
    if config.framework == "drnet":
        return DRNet(pose_dim, config.weights, config.drnet, augment)
    if config.framework == "silhouette":
        return Silhouette(config.weights, config.silhouette, augment)
    if config.framework == "entangled":
        return Entangled(config.weights, augment)
    if config.framework == "oracle-swap":
        return OracleSwap(config.weights, config.oracle, augment)
    return NSD(config.weights, config.swap_appearance, augment)
