"""Cheaper copies of trained modules that compute the same: batch normalisation folded into the
convolution before it, and convolutions in bf16 with channels last."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


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
