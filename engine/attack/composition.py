"""The one place where the attack composes and crops: the picture that a target sees, at the pixels
where it looks, without the full-resolution frame (DESIGN, the attack)."""

import torch
from torch import Tensor

from dpa.engine.attack.scene import Scene
from dpa.kernels import WHOLE_FRAME, composite, composite_crop


def thumbnails(rgb: Tensor, scene: Scene, plates: Tensor, size: int) -> Tensor:
    """The adversarial frame at localiser size. rgb [B, 3, s, s], plates [P, 3, H, W] → [B, 3, size, size]."""
    whole = rgb.new_zeros(rgb.shape[0], 4)
    for place, value in enumerate(WHOLE_FRAME):
        whole[:, place] = value  # filled on the device: no CUDA graph holds a copy from the host
    return crops(rgb, scene, plates, whole, size)


def crops(rgb: Tensor, scene: Scene, plates: Tensor, box: Tensor, size: int) -> Tensor:
    """The adversarial frame inside a box [B, 4]. Returns [B, 3, size, size]."""
    return composite_crop(rgb, scene.mask, scene.box, plates, scene.plate_index, box, size)


def eight_bit_frames(rgb: Tensor, scene: Scene, plates: Tensor) -> Tensor:
    """The full-resolution frame as it is stored. Returns uint8 [B, 3, H, W]."""
    frames = composite(rgb, scene.mask, scene.box, plates, scene.plate_index)
    return (frames.clamp(0, 1) * 255).round().to(torch.uint8)
