"""The graphs that a trained network is exported as: thin modules around it, each with the names and
shapes of its inputs and outputs."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from dpa.engine.sessions.protocol import TensorSpec
from dpa.export import sampling
from dpa.models.errors import InputError
from dpa.models.frameworks.base import DisentangledNetwork

JOINTS = 17


class UnknownGraph(InputError):
    """A graph's name that is not among GRAPHS."""


@dataclass(frozen=True)
class Graph:
    """A module with its signature; what parity and fallbacks work on. exported: the same arithmetic in
    operations that runtimes are faster at, where there is such a form; what exporters trace."""

    name: str
    module: nn.Module
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    exported: nn.Module | None = None


class PoseGraph(nn.Module):
    """Localiser S, encoder E, regressor φ: frames [B, 3, H, W] → pose [B, 17, 3] mm, box [B, 4]."""

    def __init__(self, network: DisentangledNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        box = self.network.localise(frames)
        _, pose_code = self.network.encode(self.network.crop(frames, box))
        return self.network.regress(pose_code), box


class LinePoseGraph(PoseGraph):
    """PoseGraph with its two samplings as in `sampling`."""

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        thumbnails = sampling.thumbnail(frames, self.network.localiser_size)
        box = self.network.localise_thumbnails(thumbnails)
        crops = sampling.crop(frames, box, self.network.crop_size)
        return self.network.regress(self.network.encode(crops)[1]), box


class EncodeGraph(nn.Module):
    """Encoder: crops [B, 3, s, s] → appearance code [B, 128], pose code [B, 600]."""

    def __init__(self, network: DisentangledNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.encode(crops)


class DecodeGraph(nn.Module):
    """Decoder: both codes → colours [B, 3, s, s], mask [B, 1, s, s] after its normalisation."""

    def __init__(self, network: DisentangledNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, h_a: Tensor, h_p: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.decode(h_a, h_p)


class RegressGraph(nn.Module):
    """Regressor φ: pose code [B, 600] → pose [B, 17, 3] mm."""

    def __init__(self, network: DisentangledNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, h_p: Tensor) -> Tensor:
        return self.network.regress(h_p)


def _pose(network: DisentangledNetwork) -> Graph:
    kind = type(network)
    plain = kind.localise is DisentangledNetwork.localise and kind.crop is DisentangledNetwork.crop
    return Graph(
        "pose",
        PoseGraph(network),
        (TensorSpec("frames", (None, 3, None, None)),),
        (TensorSpec("pose", (None, JOINTS, 3)), TensorSpec("box", (None, 4))),
        LinePoseGraph(network) if plain else None,
    )


def _encode(network: DisentangledNetwork) -> Graph:
    size = network.config.crop_size
    return Graph(
        "encode", EncodeGraph(network), (TensorSpec("crops", (None, 3, size, size)),), _codes(network)
    )


def _decode(network: DisentangledNetwork) -> Graph:
    size = network.config.crop_size
    images = (TensorSpec("rgb", (None, 3, size, size)), TensorSpec("mask", (None, 1, size, size)))
    return Graph("decode", DecodeGraph(network), _codes(network), images)


def _regress(network: DisentangledNetwork) -> Graph:
    return Graph(
        "regress", RegressGraph(network), _codes(network)[1:], (TensorSpec("pose", (None, JOINTS, 3)),)
    )


def _codes(network: DisentangledNetwork) -> tuple[TensorSpec, ...]:
    config = network.config
    return (TensorSpec("h_a", (None, config.appearance_dim)), TensorSpec("h_p", (None, config.pose_dim)))


GRAPHS: dict[str, Callable[[DisentangledNetwork], Graph]] = {
    "pose": _pose,
    "encode": _encode,
    "decode": _decode,
    "regress": _regress,
}


def build_graph(network: DisentangledNetwork, name: str) -> Graph:
    """The named graph of a network in eval mode, on its own device. Raises UnknownGraph."""
    if name not in GRAPHS:
        raise UnknownGraph(
            found=f"graph {name!r}", expected=f"one of {', '.join(GRAPHS)}", remedy="name one of these"
        )
    return GRAPHS[name](network.eval())
