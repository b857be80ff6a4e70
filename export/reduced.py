"""A network in half precision as it is exported: encoder and decoder in fp16, what must not be in fp32."""

import copy

import torch
from torch import Tensor, nn

from dpa.models.frameworks.base import DisentangledNetwork


class ReducedNetwork(DisentangledNetwork):
    """A copy of a network whose encoder and decoder compute in `dtype`.

    Inputs and outputs stay fp32. So does sampling (ONNX Runtime's CUDA GridSample takes nothing else);
    so does the localiser, as an error of the box moves the whole crop (measured on a small NSD: fp16
    there cost 0.5 mm of pose, in the encoder 0.1 mm); so does φ, whose outputs of up to a metre would
    be rounded to half a millimetre and more.
    """

    def __init__(self, network: DisentangledNetwork, dtype: torch.dtype) -> None:
        nn.Module.__init__(self)
        self.config, self.framework, self.source = network.config, network.framework, network.source
        self.dtype = dtype
        self.localiser, self.regressor = network.localiser, network.regressor
        self.encoder = copy.deepcopy(network.encoder).to(dtype)
        self.decoder = copy.deepcopy(network.decoder).to(dtype)

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        h_a, h_p = super().encode(crops.to(self.dtype))
        return h_a.float(), h_p.float()

    def decode(self, h_a: Tensor, h_p: Tensor) -> tuple[Tensor, Tensor]:
        rgb, mask = super().decode(h_a.to(self.dtype), h_p.to(self.dtype))
        return rgb.float(), mask.float()
