"""The exporter that the attack is offered: graphs of value and gradient, kept in the cache folder."""

import hashlib
import json
from pathlib import Path

from dpa.engine.attack.objective import Objective
from dpa.engine.cache import cache_folder
from dpa.export.fingerprint import package_versions, weights_fingerprint
from dpa.models.atomic import write_bytes
from dpa.models.frameworks.base import DisentangledNetwork


class CachedGradients:
    """See engine.attack.steps.compiled. A graph is made anew when weights, options, the plates' size
    or package versions change. folder: default cache_folder() / "step-graphs"."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def graph(self, objective: Objective) -> bytes:
        """The serialised graph. Raises as dpa.export.gradient.gradient_onnx."""
        from dpa.export.gradient import gradient_onnx

        path = self._path(objective)
        if path is not None and path.is_file():
            return path.read_bytes()
        made = gradient_onnx(objective)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, made)
        return made

    def kept(self, objective: Objective) -> bool:
        """Whether the graph is in the cache."""
        path = self._path(objective)
        return path is not None and path.is_file()

    def _path(self, objective: Objective) -> Path | None:
        """None for networks that are not the project's own, which cannot be exported either."""
        networks = (objective.generator, objective.target)
        if not all(isinstance(network, DisentangledNetwork) for network in networks):
            return None
        made_from = [
            *(
                weights_fingerprint(network)
                for network in networks
                if isinstance(network, DisentangledNetwork)
            ),
            objective.freeze_box,
            objective.clamp,
            list(objective.plates.shape[1:]),
            package_versions(),
        ]
        key = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:32]
        return (self._folder or cache_folder() / "step-graphs") / f"{key}.onnx"
