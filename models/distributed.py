"""One training in several processes (`torchrun`): each holds a part of every batch, and draws, means, gathers
and batch statistics are over the whole of it, so that the result does not depend on how many there are. In a
single process each function is the plain operation, bit for bit."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

Rows = TypeVar("Rows", Tensor, NDArray[Any])


def count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """This process's number, from 0; number 0 writes logs and checkpoints."""
    return dist.get_rank() if count() > 1 else 0


@contextmanager
def joined(device: torch.device) -> Iterator[torch.device]:
    """Joins the processes that torchrun started, if it did, and yields this one's device: the GPU of its
    local rank where `device` is a GPU, over NCCL; the CPU over gloo."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()


def part(whole: Rows) -> Rows:
    """This process's rows of what belongs to the whole batch. [W·b, ...] → [b, ...]."""
    size = len(whole) // count()
    return whole[rank() * size : (rank() + 1) * size]


class _Sum(torch.autograd.Function):
    """Sum over the processes. Every process's loss depends on it, so its gradient is their sum as well."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total


def summed(values: Tensor) -> Tensor:
    """Sum over the processes, differentiable. Same shape."""
    if count() == 1:
        return values
    total: Tensor = _Sum.apply(values)  # type: ignore[no-untyped-call]
    return total


def averaged(values: Tensor) -> Tensor:
    """Mean over the processes, differentiable. Same shape."""
    return values if count() == 1 else summed(values) / count()


def gathered(values: Tensor) -> Tensor:
    """The whole batch's rows, in order, without gradient. [b, ...] → [W·b, ...]."""
    values = values.detach()
    if count() == 1:
        return values
    parts = [torch.empty_like(values, memory_format=torch.contiguous_format) for _ in range(count())]
    dist.all_gather(parts, values.contiguous())
    return torch.cat(parts)


def weight_of(found: Tensor) -> Tensor | float:
    """What a mean over `found` entries must be multiplied by where processes hold different numbers of
    them, so that the mean over processes is the mean over all entries. found: a scalar."""
    if count() == 1:
        return 1.0
    return found * count() / summed(found.float()).clamp(min=1)


def average_gradients(module: torch.nn.Module) -> None:
    """Replaces every gradient by its mean over the processes, in one exchange."""
    if count() == 1:
        return
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= count()
    for gradient, values in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(values.view_as(gradient))


def of_the_first(value: float) -> float:
    """The first process's value, in all of them."""
    if count() == 1:
        return value
    told = [value]
    dist.broadcast_object_list(told)
    return told[0]


def wait_for_all() -> None:
    """Returns when every process has come here."""
    if count() > 1:
        dist.barrier()


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch statistics over all processes. torch's SyncBatchNorm does so on GPUs alone; this is for the
    CPU, by plain operations. [b, C, H, W] → same."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        values = x.float()
        entries = x.numel() // x.shape[1] * count()
        mean = summed(values.sum((0, 2, 3))) / entries
        centred = values - mean[:, None, None]
        variance = summed(centred.square().sum((0, 2, 3))) / entries
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
        whole = x.new_ones(count() * len(x), *x.shape[1:])
        return x * part(F.dropout(whole, self.p))


def share_statistics(network: nn.Module, device: torch.device) -> None:
    """Puts the shared layers in place of the plain ones, in a network about to train in several
    processes. Parameters, buffers and their names stay, so its checkpoints are those of one process."""
    if count() == 1:
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
