"""Value and gradient as one exported graph, run by ONNX Runtime."""

import torch
from torch import Tensor

from dpa.engine.attack.backends.admission import admit
from dpa.engine.attack.backends.eager import EagerStep
from dpa.engine.attack.backends.exporting import exporter
from dpa.engine.attack.backends.fused import own_copy
from dpa.engine.attack.backends.protocol import StepResult
from dpa.engine.attack.backends.split_decoder import without_pose
from dpa.engine.attack.objective import Objective
from dpa.engine.attack.scene import Scene
from dpa.engine.sessions.onnxruntime_session import OnnxRuntimeSession
from dpa.engine.sessions.protocol import Session
from dpa.models.errors import InputError


class NoExporter(InputError):
    """A compiled step was asked for and nobody can compile it."""

    def __init__(self) -> None:
        super().__init__(
            "no exporter for the compiled step",
            "the package dpa.export to be imported, which offers one",
            "import dpa.export before the attack, or use the back-end fused",
        )


class CompiledStep:
    """A step on a session whose inputs and outputs are those of dpa.export.gradient."""

    name = "compiled"

    def __init__(self, objective: Objective, sizes: tuple[int, ...], session: Session) -> None:
        self.plates, self.sizes, self.session = objective.plates, sizes, session
        network = own_copy(objective.generator)
        self._decoder = without_pose(network.decoder, next(network.parameters()).dtype)

    def prefix(self, pose_code: Tensor) -> Tensor:
        """The pose part of the decoder: [B, P] → [B, C, t, t]."""
        with torch.no_grad():
            return self._decoder.prefix(pose_code).contiguous()

    def __call__(self, h_a: Tensor, scene: Scene) -> StepResult:
        """h_a [B, A] → error and gradient."""
        feeds = {
            "h_a": h_a,
            "prefix": scene.prefix,
            "mask": scene.mask,
            "box": scene.box,
            "background": self.plates[scene.plate_index],
            "reference": scene.reference,
        }
        made = self.session.run(feeds)
        return StepResult(made["error"], made["gradient"])


def compiled_step(objective: Objective, sizes: tuple[int, ...]) -> CompiledStep:
    """The compiled step, exported where it is not kept, and admitted. Raises NoExporter, WrongGradient,
    ExportFailed, MissingPackage without onnxruntime, NotFusable for networks that are not the project's."""
    maker = exporter()
    if maker is None:
        raise NoExporter
    session = OnnxRuntimeSession(maker.graph(objective), str(objective.plates.device))
    step = CompiledStep(objective, sizes, session)
    admit(step, EagerStep(objective, sizes))
    return step
