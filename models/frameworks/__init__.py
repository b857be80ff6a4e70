"""dpa.models.frameworks: one file a framework (its objective); base.py is what all of them offer."""

from collections.abc import Callable
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
    from dpa.models.frameworks.witness import WitnessNetwork

    kinds = {"silhouette": SilhouetteNetwork, "witness": WitnessNetwork}
    return kinds.get(framework, DisentangledNetwork)(config, framework)


def make_objective(config: "TrainConfig", pose_dim: int) -> "Objective":
    """The objective that a training configuration names."""
    from dpa.models.data.augmentation import make_augmentation
    from dpa.models.frameworks.cssl import CSSL
    from dpa.models.frameworks.drnet import DRNet
    from dpa.models.frameworks.entangled import Entangled
    from dpa.models.frameworks.nsd import NSD
    from dpa.models.frameworks.oracle_swap import OracleSwap
    from dpa.models.frameworks.silhouette import Silhouette
    from dpa.models.frameworks.witness import Witness

    augment = make_augmentation(config.augment, config.augmentation)
    weights = config.weights
    makers: dict[str, Callable[[], Objective]] = {
        "nsd": lambda: NSD(weights, config.swap_appearance, augment),
        "cssl": lambda: CSSL(weights, config.cssl, config.swap_appearance, augment),
        "drnet": lambda: DRNet(pose_dim, weights, config.drnet, augment),
        "silhouette": lambda: Silhouette(weights, config.silhouette, augment),
        "entangled": lambda: Entangled(weights, augment),
        "oracle-swap": lambda: OracleSwap(weights, config.oracle, augment),
        "witness": lambda: Witness(config.witness, augment),
    }
    return makers[config.framework]()
