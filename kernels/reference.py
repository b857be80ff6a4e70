"""PyTorch twin of the fused operation: the oracle of its tests and the fallback where no kernel runs.

Boxes are θ = (sx, sy, tx, ty) in normalised frame coordinates with align_corners=False everywhere
(pixel edges at ±1): crop coordinate u maps to frame coordinate sx·u + tx.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def box_grid(box: Tensor, size: tuple[int, int]) -> Tensor:
    """Frame coordinates of every pixel centre of a crop.

    box: [B, 4]; size: (height, width) of the crop. Returns [B, height, width, 2] as (x, y).
    """
    height, width = size
    u = (2 * torch.arange(width, device=box.device, dtype=box.dtype) + 1) / width - 1
    v = (2 * torch.arange(height, device=box.device, dtype=box.dtype) + 1) / height - 1
    x = box[:, 0, None] * u + box[:, 2, None]
    y = box[:, 1, None] * v + box[:, 3, None]
    return torch.stack([x[:, None, :].expand(-1, height, -1), y[:, :, None].expand(-1, -1, width)], dim=-1)


def whole_frame(frames: Tensor) -> Tensor:
    """The box (1, 1, 0, 0) for every frame. [B, ...] → [B, 4]. Made on the device: numbers from the host
    would make it wait, and no CUDA graph could hold them."""
    count = frames.shape[0]
    return torch.cat([frames.new_ones(count, 2), frames.new_zeros(count, 2)], dim=1)


def inverse_box(box: Tensor) -> Tensor:
    """The box that maps frame coordinates back to crop coordinates. [B, 4] → [B, 4]."""
    return torch.cat([1 / box[:, :2], -box[:, 2:] / box[:, :2]], dim=1)


def crop(frames: Tensor, box: Tensor, size: int) -> Tensor:
    """Bilinear crop, zero outside the frame. [B, C, H, W], [B, 4] → [B, C, size, size]."""
    grid = box_grid(box, (size, size))
    return F.grid_sample(frames, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def composite(rgb: Tensor, mask: Tensor, box: Tensor, plates: Tensor, plate_index: Tensor) -> Tensor:
    """The decoded person over the background plate, at the plate's full resolution (docs/architectures.md).

    rgb: [B, 3, s, s]; mask: [B, 1, s, s] in [0, 1]; box: [B, 4]; plates: [P, 3, H, W];
    plate_index: [B] int64. Returns frames [B, 3, H, W]. The mask is zero outside its crop, the
    colours continue their border.
    """
    height, width = plates.shape[-2:]
    grid = box_grid(inverse_box(box), (height, width))
    alpha = F.grid_sample(mask, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    colour = F.grid_sample(rgb, grid, mode="bilinear", padding_mode="border", align_corners=False)
    background = plates[plate_index]
    return background + alpha * (colour - background)


def composite_crop(
    rgb: Tensor,
    mask: Tensor,
    box_from: Tensor,
    plates: Tensor,
    plate_index: Tensor,
    box_to: Tensor,
    size: int,
) -> Tensor:
    """Compose at full resolution, then crop: the two-step reference of the fused operation.

    Returns [B, 3, size, size]. With box_to = (1, 1, 0, 0) it is the localiser's input.
    """
    return crop(composite(rgb, mask, box_from, plates, plate_index), box_to, size)
