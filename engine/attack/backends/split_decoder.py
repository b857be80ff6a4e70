"""The decoder with everything that the frozen pose code decides taken out of the step.

The first convolution sees the upsampled pose map beside the appearance code tiled over all pixels. A
convolution is linear, so the pose part is computed once a sample; and over a constant plane it is nine
numbers a channel (which taps fall inside the image), so the appearance part is one matrix product. Both
are exact.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dpa.models.networks.decoder import Decoder, UpBlock


class SplitDecoder(nn.Module):
    """Colours of a decoder from the appearance code and a prefix that depends on the pose code alone.

    dtype: of the convolutions after the first; the sum of the two parts is float32.
    """

    taps: Tensor
    inside: Tensor

    def __init__(self, decoder: Decoder, dtype: torch.dtype) -> None:
        super().__init__()
        self.decoder = decoder
        self.dtype = dtype
        blocks = [block for block in decoder.blocks if isinstance(block, UpBlock)]
        first = blocks[0].convolutions[0]
        assert isinstance(first, nn.Conv2d)
        pose = decoder.pose_channels
        self.channels, self.side = first.out_channels, 2 * decoder.start
        self.appearance_dim = decoder.appearance_dim
        self.pose_part = nn.Conv2d(pose, self.channels, 3, padding=1, dtype=first.weight.dtype)
        with torch.no_grad():
            self.pose_part.weight.copy_(first.weight[:, :pose])
            assert first.bias is not None and self.pose_part.bias is not None
            self.pose_part.bias.copy_(first.bias)
            # [A, 9·C]: what each tap makes of each entry of the appearance code
            taps = first.weight[:, pose:].permute(1, 2, 3, 0).reshape(self.appearance_dim, -1)
        self.register_buffer("taps", taps.contiguous())
        self.register_buffer("inside", _taps_inside(self.side).to(first.weight.dtype))
        after_first = list(blocks[0].convolutions)[1:]
        rest = nn.Sequential(*after_first, *blocks[1:], _colours(decoder.image))
        self.rest = rest.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def prefix(self, h_p: Tensor) -> Tensor:
        """[B, P] → the pose part [B, C, 2·start, 2·start], channels last."""
        pose_map = self.decoder.spread_pose(h_p)
        wide = F.interpolate(pose_map, scale_factor=2.0, mode="bilinear", align_corners=False)
        part: Tensor = self.pose_part(wide)
        return part.contiguous(memory_format=torch.channels_last)

    def forward(self, h_a: Tensor, prefix: Tensor) -> Tensor:
        """h_a [B, A], prefix from the same samples → rgb [B, 3, s, s] in [0, 1]."""
        tapped = (h_a @ self.taps).view(-1, 9, self.channels)
        plane = (self.inside @ tapped).view(-1, self.side, self.side, self.channels)
        y: Tensor = self.rest((prefix + plane.permute(0, 3, 1, 2)).to(self.dtype))
        return self.decoder.colours(y.to(h_a.dtype))


class WholeDecoder(nn.Module):
    """A decoder that paints in a way of its own, behind the same calls: nothing but the spread pose code is
    taken out of the step."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder
        self.channels, self.side = decoder.pose_channels, decoder.start
        self.appearance_dim = decoder.appearance_dim

    def prefix(self, h_p: Tensor) -> Tensor:
        """[B, P] → the spread pose code [B, C, start, start]."""
        return self.decoder.spread_pose(h_p)

    def forward(self, h_a: Tensor, prefix: Tensor) -> Tensor:
        """h_a [B, A], prefix from the same samples → rgb [B, 3, s, s] in [0, 1]."""
        return self.decoder.colours(self.decoder.paint(h_a, prefix)[:, :3].to(h_a.dtype))


def without_pose(decoder: Decoder, dtype: torch.dtype) -> SplitDecoder | WholeDecoder:
    """As little of the decoder as its kind allows to be left in the step; dtype: see SplitDecoder."""
    return SplitDecoder(decoder, dtype) if type(decoder) is Decoder else WholeDecoder(decoder)


def _taps_inside(side: int) -> Tensor:
    """[side², 9]: 1 where a tap of a 3×3 convolution with padding 1 falls inside the image."""
    ones = torch.ones(1, 1, side, side)
    return F.unfold(ones, kernel_size=3, padding=1)[0].T.contiguous()


def _colours(image: nn.Conv2d) -> nn.Conv2d:
    """The decoder's last convolution without the mask's channel: M⁰ is frozen."""
    colours = nn.Conv2d(image.in_channels, 3, 1, dtype=image.weight.dtype)
    with torch.no_grad():
        colours.weight.copy_(image.weight[:3])
        assert image.bias is not None and colours.bias is not None
        colours.bias.copy_(image.bias[:3])
    return colours
