"""Layers whose arithmetic is over the batch, over all processes: batch normalisation and dropout."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dpa.models import processes


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch statistics over all processes. torch's SyncBatchNorm does so on GPUs alone; this is for the
    CPU, by plain operations. [b, C, H, W] → same."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        values = x.float()
        entries = x.numel() // x.shape[1] * processes.count()
        mean = processes.summed(values.sum((0, 2, 3))) / entries
        centred = values - mean[:, None, None]
        variance = processes.summed(centred.square().sum((0, 2, 3))) / entries
        self._remember(mean.detach(), variance.detach() * entries / (entries - 1))
        scale = self.weight / (variance + self.eps).sqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum or 0.0)
        self.running_var.lerp_(variance, self.momentum or 0.0)


class SharedDropout(nn.Dropout):
    """Draws for the whole batch and applies this process's part. [b, ...] → same."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        whole = x.new_ones(processes.count() * len(x), *x.shape[1:])
        return x * processes.part(F.dropout(whole, self.p))


def share_statistics(network: nn.Module, device: torch.device) -> None:
    """Puts the shared layers in place of the plain ones, in a network about to train in several
    processes. Parameters, buffers and their names stay, so its checkpoints are those of one process."""
    if processes.count() == 1:
        return
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, _shared_norm(child, device))
            elif isinstance(child, nn.Dropout):
                setattr(module, name, SharedDropout(child.p))


def _shared_norm(norm: nn.BatchNorm2d, device: torch.device) -> nn.Module:
    shared = nn.SyncBatchNorm if device.type == "cuda" else SharedBatchNorm
    made = shared(norm.num_features, norm.eps, norm.momentum, device=device)
    made.weight, made.bias = norm.weight, norm.bias
    made.load_state_dict(norm.state_dict())
    return made
