"""The fast step: the same objective on copies of the networks that waste less.

Batch normalisation is folded, convolutions of encoder and decoder run in bf16 with channels last, the
pose part of the decoder is computed once a sample, the mask's channel is skipped. The localiser, sampling,
read-outs and the error stay float32. The judge never sees these copies.
"""

import copy
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dpa.engine.attack.objective import Generator, Objective, Target
from dpa.engine.attack.state import Scene
from dpa.engine.attack.steps.eager import StepBackend, autograd_step
from dpa.models.errors import InputError
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.networks.decoder import Decoder, UpBlock


def fold_batch_norms(module: nn.Module) -> None:
    """Folds, in place, every 2D batch normalisation that follows a convolution: its neighbour in a
    Sequential, or convN and bnN of a residual block. The module must be in eval mode."""
    children = dict(module.named_children())
    names = list(children)
    pairs = [(name, "bn" + name[4:]) for name in names if name.startswith("conv")]
    if isinstance(module, nn.Sequential):
        pairs = list(pairwise(names))
    for first, second in pairs:
        convolution, norm = children[first], children.get(second)
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            setattr(module, first, fuse_conv_bn_eval(convolution, norm))
            setattr(module, second, nn.Identity())
    for child in module.children():
        fold_batch_norms(child)


class Lowered(nn.Module):
    """A convolutional module in another precision with channels last, float32 outside: what precedes
    and follows it (windows, read-outs, sampling) keeps its precision."""

    def __init__(self, module: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.module = module.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] → what the module returns, in x's dtype."""
        y: Tensor = self.module(x.to(self.dtype, memory_format=torch.channels_last))
        return y.to(x.dtype)


class SplitDecoder(nn.Module):
    """Colours of a decoder from the appearance code and a prefix that depends on the pose code alone.

    The first convolution sees the upsampled pose map beside the appearance code tiled over all pixels. A
    convolution is linear, so the pose part is computed once a sample; and over a constant plane it is nine
    numbers a channel (which taps fall inside the image), so the appearance part is one matrix product. Both
    are exact.

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
        self.pose_part = nn.Conv2d(
            pose, self.channels, 3, padding=1, dtype=first.weight.dtype, device=first.weight.device
        )
        with torch.no_grad():
            self.pose_part.weight.copy_(first.weight[:, :pose])
            assert first.bias is not None and self.pose_part.bias is not None
            self.pose_part.bias.copy_(first.bias)
            # [A, 9·C]: what each tap makes of each entry of the appearance code
            taps = first.weight[:, pose:].permute(1, 2, 3, 0).reshape(self.appearance_dim, -1)
        self.register_buffer("taps", taps.contiguous())
        self.register_buffer("inside", _taps_inside(self.side).to(first.weight))
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
    weight = image.weight
    colours = nn.Conv2d(image.in_channels, 3, 1, dtype=weight.dtype, device=weight.device)
    with torch.no_grad():
        colours.weight.copy_(weight[:3])
        assert image.bias is not None and colours.bias is not None
        colours.bias.copy_(image.bias[:3])
    return colours


class NotFusable(InputError):
    """The back-end knows the inside of this project's networks only."""

    def __init__(self, network: object) -> None:
        super().__init__(
            f"a {type(network).__name__} for the fused back-end",
            "networks of the class DisentangledNetwork",
            "use --backend eager",
        )


@dataclass(frozen=True)
class FusedObjective(Objective):
    """Objective whose colours come from a split decoder and the scene's prefix."""

    decoder: SplitDecoder

    def colours(self, h_a: Tensor, scene: Scene) -> Tensor:
        """See Objective.colours."""
        rgb: Tensor = self.decoder(h_a, scene.prefix)
        return rgb


def fused_step(
    objective: Objective, sizes: tuple[int, ...], dtype: torch.dtype = torch.bfloat16
) -> StepBackend:
    """The eager step on folded, lowered copies. dtype: of the convolutions (float32 makes it exact). Raises
    NotFusable."""
    decoder = SplitDecoder(own_copy(objective.generator).decoder, dtype)
    fused = FusedObjective(
        generator=objective.generator,
        target=lowered(objective.target, dtype),
        plates=objective.plates,
        freeze_box=objective.freeze_box,
        clamp=objective.clamp,
        decoder=decoder,
    )

    def prefix(pose_code: Tensor) -> Tensor:
        with torch.no_grad():
            return decoder.prefix(pose_code)

    return StepBackend("fused", sizes, prefix, autograd_step(fused))


def lowered(target: Target, dtype: torch.dtype) -> DisentangledNetwork:
    """A copy of the target with folded batch normalisation and a lowered encoder. The localiser keeps
    its precision: its box moves the whole crop, and with it the gradient. Raises NotFusable."""
    network = own_copy(target)
    fold_batch_norms(network)
    own = next(network.parameters()).dtype
    network.localiser.trunk = Lowered(network.localiser.trunk, own)  # type: ignore[assignment]
    network.encoder.trunk = Lowered(network.encoder.trunk, dtype)  # type: ignore[assignment]
    network.encoder.head = Lowered(network.encoder.head, dtype)  # type: ignore[assignment]
    return network.requires_grad_(False)


def own_copy(network: Generator | Target) -> DisentangledNetwork:
    """A copy to change, so that the judge's network stays untouched."""
    if not isinstance(network, DisentangledNetwork):
        raise NotFusable(network)
    return copy.deepcopy(network).requires_grad_(False)
