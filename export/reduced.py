"""A network in half precision as it is exported: the convolutions in fp16, what must not be in fp32."""

import copy

import torch
from torch import Tensor, nn

from dpa.kernels.reference import crop
from dpa.models.frameworks.base import DisentangledNetwork

WHOLE_FRAME = (1.0, 1.0, 0.0, 0.0)


class ReducedNetwork(DisentangledNetwork):
    """A copy of a network whose localiser, encoder and decoder compute in `dtype`.

    Inputs and outputs stay fp32. So does sampling (ONNX Runtime's CUDA GridSample takes nothing else)
    and φ, whose outputs of up to a metre would be rounded to half a millimetre and more.
    """

    def __init__(self, network: DisentangledNetwork, dtype: torch.dtype) -> None:
        nn.Module.__init__(self)
        self.config, self.framework, self.source = network.config, network.framework, network.source
        self.dtype = dtype
        self.localiser = copy.deepcopy(network.localiser).to(dtype)
        self.encoder = copy.deepcopy(network.encoder).to(dtype)
        self.decoder = copy.deepcopy(network.decoder).to(dtype)
        self.regressor = network.regressor

    def localise(self, frames: Tensor) -> Tensor:
        whole = frames.new_tensor(WHOLE_FRAME).expand(frames.shape[0], 4)
        return self.localise_thumbnails(crop(frames, whole, self.localiser_size).to(self.dtype)).float()

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        h_a, h_p = super().encode(crops.to(self.dtype))
        return h_a.float(), h_p.float()

    def decode(self, h_a: Tensor, h_p: Tensor) -> tuple[Tensor, Tensor]:
        rgb, mask = super().decode(h_a.to(self.dtype), h_p.to(self.dtype))
        return rgb.float(), mask.float()
