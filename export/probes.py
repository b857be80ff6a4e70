"""What a graph is fed when it is compared with fp32 torch, and how its outputs become poses, so that
every graph's error has a unit: millimetres."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from dpa.models.frameworks.base import DisentangledNetwork

BATCH = 32


@dataclass(frozen=True)
class Probe:
    """One batch of inputs for a graph. crops: [B, 3, s, s], the true crops they stem from."""

    feeds: dict[str, Tensor]
    crops: Tensor


def probes(network: DisentangledNetwork, graph: str, frames: Tensor) -> Iterator[Probe]:
    """Inputs of the named graph that arise from frames [N, 3, H, W], in batches of at most 32."""
    for part in torch.split(frames, BATCH):
        with torch.no_grad():
            crops = network.crop(part, network.localise(part))
            h_a, h_p = network.encode(crops)
        feeds = {
            "pose": {"frames": part},
            "encode": {"crops": crops},
            "decode": {"h_a": h_a, "h_p": h_p},
            "regress": {"h_p": h_p},
        }[graph]
        # contiguous copies, as the codes are two halves of one tensor
        yield Probe({name: value.contiguous() for name, value in feeds.items()}, crops)


def as_poses(network: DisentangledNetwork, probe: Probe, outputs: Mapping[str, Tensor]) -> Tensor:
    """The pose [B, 17, 3] mm that a graph's outputs lead to.

    A pose is itself; a pose code goes through φ; a decoded image is laid over the true crop with its
    mask, encoded and regressed, as the attack's adversarial frame is. What is downstream runs in fp32
    torch, so that only the graph's own error counts.
    """
    with torch.no_grad():
        if "pose" in outputs:
            return outputs["pose"]
        if "h_p" in outputs:
            return network.regress(outputs["h_p"])
        mask = outputs["mask"]
        shown = mask * outputs["rgb"] + (1 - mask) * probe.crops
        return network.regress(network.encode(shown)[1])
