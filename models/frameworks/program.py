"""Compiled programs from frames to poses: TorchScript, torch.export, ONNX. They can be attacked with
pictures that another network makes, and cannot make any themselves."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dpa.kernels.reference import whole_frame
from dpa.models.errors import InputError
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.networks.config import NetworkSizes
from dpa.models.trust import require_trust

JOINTS = 17
SUFFIXES = {".onnx": "ONNX", ".pt2": "torch.export", ".pt": "TorchScript", ".ts": "TorchScript"}
"""Files that are programs, by the end of their names."""

Poses = Callable[[Tensor], Tensor]
"""frames [B, 3, H, W] in [0, 1] → pose [B, 17, 3] mm, on the CPU."""


class NoGradient(InputError):
    """A compiled program was asked for what only a framework in PyTorch has."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is a compiled program from frames to poses: it has no appearance code to change and "
            "gives no gradient to follow",
            "a framework in PyTorch: zoo:NAME, a run directory or my_module:load",
            "use the program as --target alone, and name the --generator whose pictures are tried on it",
        )


class NotAPoseProgram(InputError):
    """A program that does not turn frames into poses, or a file that cannot be read as one."""

    def __init__(self, name: str, found: str) -> None:
        super().__init__(
            f"{name}: {found}",
            "a program of one input, frames [B, 3, H, W] in [0, 1], whose first output is a pose [B, 17, 3]",
            "export the whole way from frames to poses, e.g. `dpa-engine export … --graphs pose`",
        )


class ProgramNetwork(DisentangledNetwork):
    """A program behind the network's interface: its crop is the frame, its pose code is the pose. So
    everything that only predicts runs unchanged; what needs codes or gradients raises NoGradient."""

    def __init__(self, poses: Poses, name: str, kind: str) -> None:
        nn.Module.__init__(self)  # none of the project's own parts is built
        self.framework, self.name = kind, name
        self.source: Path | None = None
        self.regressor = None
        self.poses = poses
        self.place = nn.Parameter(torch.zeros(()), requires_grad=False)
        self.config = NetworkSizes(  # type: ignore[assignment]  # a program has no more sizes than these
            preset="program", crop_size=0, localiser_size=0, appearance_dim=0, pose_dim=3 * JOINTS
        )
        self.eval()

    @property
    def can_regress(self) -> bool:
        """Always: poses are all that it gives."""
        return True

    def localise(self, frames: Tensor) -> Tensor:
        """The whole frame: a program finds the person itself."""
        return whole_frame(frames)

    def localise_thumbnails(self, thumbnails: Tensor) -> Tensor:
        """Raises NoGradient: a program takes whole frames."""
        raise NoGradient(self.name)

    def crop(self, frames: Tensor, box: Tensor) -> Tensor:
        """The frame itself."""
        return frames

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Frames [B, 3, H, W] → no appearance code [B, 0], the pose [B, 51]. Raises NotAPoseProgram."""
        with torch.no_grad():
            pose = self.poses(crops)
        if pose.shape != (crops.shape[0], JOINTS, 3):
            raise NotAPoseProgram(self.name, f"its first output is {list(pose.shape)}")
        return crops.new_empty(crops.shape[0], 0), pose.to(crops).flatten(1)

    def decode(self, h_a: Tensor, h_p: Tensor) -> tuple[Tensor, Tensor]:
        """Raises NoGradient."""
        raise NoGradient(self.name)

    def regress(self, h_p: Tensor) -> Tensor:
        """[B, 51] → [B, 17, 3]."""
        return h_p.reshape(-1, JOINTS, 3)


def require_generator(network: nn.Module) -> None:
    """Raises NoGradient for a program: pictures are made by a framework in PyTorch."""
    if isinstance(network, ProgramNetwork):
        raise NoGradient(network.name)


def is_program(made: object) -> bool:
    """Whether an object is a compiled program of PyTorch's."""
    return isinstance(made, torch.jit.ScriptModule | torch.export.ExportedProgram)


def wrap_program(made: Any, name: str) -> ProgramNetwork:
    """A TorchScript module or a torch.export program as a network that can be attacked."""
    if isinstance(made, torch.export.ExportedProgram):
        return ProgramNetwork(_first(made.module()), name, "torch.export")
    return ProgramNetwork(_first(made), name, "TorchScript")


def open_program(path: Path) -> ProgramNetwork:
    """A program from a file, on the CPU. Only ONNX is opened unasked: torch.export evaluates expressions that
    the file brings and TorchScript may write files. Raises NotAPoseProgram, UntrustedCode."""
    kind, name = SUFFIXES[path.suffix], str(path)
    if kind != "ONNX":
        require_trust(path, kind)
    try:
        if kind == "ONNX":
            return ProgramNetwork(_onnx(path), name, kind)
        opened = torch.jit.load(path, "cpu") if kind == "TorchScript" else torch.export.load(path)  # type: ignore[no-untyped-call]
    except InputError:
        raise
    except Exception as error:  # each reader has its own
        raise NotAPoseProgram(name, f"{kind} cannot read it: {str(error).strip().splitlines()[0]}") from error
    return wrap_program(opened, name)


def _first(program: Callable[[Tensor], Any]) -> Poses:
    def poses(frames: Tensor) -> Tensor:
        made = program(frames.detach().cpu())
        pose: Tensor = made[0] if isinstance(made, tuple | list) else made
        return pose

    return poses


def _onnx(path: Path) -> Poses:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        listed = ", ".join(f"{value.name} {value.shape}" for value in inputs)
        raise NotAPoseProgram(str(path), f"its inputs are {listed}")

    def poses(frames: Tensor) -> Tensor:
        (pose, *_) = session.run([outputs[0].name], {inputs[0].name: frames.detach().cpu().numpy()})
        return torch.from_numpy(pose)

    return poses
