"""The attack's objective in a form whose gradient can be exported: the same arithmetic as
`engine.attack.objective`, with every sampling written as matrix products."""

import copy

import torch
from torch import Tensor, nn

from dpa.engine.attack.objective import Objective, mpjpe
from dpa.engine.attack.steps.fused import SplitDecoder, fold_batch_norms, own_copy, without_pose
from dpa.export.gradient_sampling import Doubling, centres, crop_weights, hat, paste_weights, sample
from dpa.models.networks.decoder import UpBlock


class DoublingBlock(nn.Module):
    """An UpBlock whose upsampling is a matrix product. [B, C, side, side] → [B, outputs, 2·side, 2·side]."""

    def __init__(self, block: UpBlock, side: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.doubling, self.convolutions = Doubling(side, dtype), block.convolutions

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.convolutions(self.doubling(x))
        return y


class GradientModule(nn.Module):
    """Error of the target at h_a, in mm per sample, from copies of the networks with folded batch
    normalisation and the split decoder. Raises NotFusable for networks that are not the project's own."""

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.freeze_box, self.clamp = objective.freeze_box, objective.clamp
        target, generator = own_copy(objective.target), own_copy(objective.generator)
        fold_batch_norms(target)
        assert target.regressor is not None  # the target has predicted q
        self.localiser, self.encoder = target.localiser, target.encoder
        self.regressor = copy.deepcopy(target.regressor)
        self.crop_size, self.localiser_size = target.crop_size, target.localiser_size
        self.painted_size = generator.crop_size
        dtype = next(generator.parameters()).dtype
        decoder = without_pose(generator.decoder, dtype)
        if isinstance(decoder, SplitDecoder):
            decoder.rest = _doubling(decoder.rest, decoder.side, dtype)
        else:
            for name, layers in decoder.decoder.named_children():
                if isinstance(layers, nn.Sequential):
                    setattr(decoder.decoder, name, _doubling(layers, decoder.side, dtype))
        decoder.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self.decoder = decoder
        self.requires_grad_(False)

    def forward(
        self, h_a: Tensor, prefix: Tensor, mask: Tensor, box: Tensor, background: Tensor, reference: Tensor
    ) -> Tensor:
        """h_a [B, A], prefix as the decoder's, mask [B, 1, s, s], box [B, 4], background [B, 3, H, W],
        reference [B, J, 3] mm → error [B] mm."""
        rgb = self.decoder(h_a, prefix)
        rgb = rgb.clamp(0, 1) if self.clamp else rgb
        size, (height, width) = mask.shape[-1], background.shape[-2:]
        alpha = sample(mask, *paste_weights(box, size, height, width, border=False))
        colour = sample(rgb, *paste_weights(box, size, height, width, border=True))
        frame = background + alpha * (colour - background)
        whole = centres(self.localiser_size, h_a)
        small = sample(frame, hat(whole, height), hat(whole, width))
        seen_box = self.localiser(small.detach() if self.freeze_box else small)
        seen = sample(frame, *crop_weights(seen_box, self.crop_size, height, width))
        pose = self.regressor(self.encoder(seen)[1])
        return mpjpe(pose, reference)


def _doubling(layers: nn.Sequential, side: int, dtype: torch.dtype) -> nn.Sequential:
    """The same layers, fed [B, C, side, side], with a DoublingBlock for every UpBlock."""
    made: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, UpBlock):
            made.append(DoublingBlock(layer, side, dtype))
            side *= 2
        else:
            made.append(layer)
    return nn.Sequential(*made)
