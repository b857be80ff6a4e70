"""Limbs that vanish: arms and legs hidden in crops, so that a network can learn to say what it cannot see.

Where a limb lies in the picture follows from pose and true box alone: the joints, seen from afar, fill the
box as the body does (the project's choice; a perspective view differs by a few centimetres, which the limbs'
widths allow for).
"""

import itertools

import torch
from torch import Tensor
from torch.nn import functional as F

LIMBS = {  # name: its three joints from the trunk outwards, in the order of the data contract
    "right leg": (1, 2, 3),
    "left leg": (4, 5, 6),
    "left arm": (11, 12, 13),
    "right arm": (14, 15, 16),
}
TIPS = {3: 19, 6: 20, 13: 17, 16: 18}
"""Behind the 17 joints: what a limb's last joint ends in, a hand or a sole."""
WIDTHS_MM = (110.0, 110.0, 85.0, 85.0)
"""From a limb's bones to beyond its skin and sleeve."""
HAND, SOLE_MM = 0.7, 90.0
"""A hand reaches beyond the wrist by this share of the forearm; a sole lies this far below the ankle."""
FLESH_MM = 60.0
BOX_MARGIN = 1.15
"""Of a true box over the person's extent, as the data contract's boxes have it."""
TRUNK = ((0, 7), (7, 8), (8, 9))
TRUNK_WIDTH_MM = 130.0
SHARPNESS = (1.0, 0.75, 0.5)


def joints_in_frame(poses: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Where 17 joints, two hands and two soles appear, and how long a millimetre is there.

    poses: [B, 17, 3] mm, camera axes; boxes: [B, 4], true ones. Returns points [B, 21, 2] in frame
    coordinates from -1 to 1 and their unit [B], frame coordinates a mm.
    """
    flat = poses[..., :2]
    hands = [
        flat[:, wrist] + HAND * (flat[:, wrist] - flat[:, elbow]) for elbow, wrist in ((12, 13), (15, 16))
    ]
    soles = [flat[:, ankle] + flat.new_tensor([0.0, SOLE_MM]) for ankle in (3, 6)]
    points = torch.cat([flat, torch.stack([*hands, *soles], dim=1)], dim=1)
    low, high = points.amin(1), points.amax(1)
    unit = 2 * boxes[:, 0] / BOX_MARGIN / ((high - low).amax(1) + FLESH_MM)
    centred = points - (low + high)[:, None] / 2
    return boxes[:, None, 2:] + unit[:, None, None] * centred, unit


def in_crop(points: Tensor, box: Tensor) -> Tensor:
    """Frame coordinates [B, n, 2] → coordinates of the crop at `box` [B, 4], -1 to 1 across it."""
    return (points - box[:, None, 2:]) / box[:, None, :2]


def near(points: Tensor, bones: Tensor, size: int) -> Tensor:
    """Distance of every pixel of a crop from the nearest of some bones. points: [B, n, 2], crop coordinates;
    bones: [B, k, 2] int64, pairs of points. Returns [B, size, size] in crop coordinates."""
    axis = (2 * torch.arange(size, device=points.device, dtype=points.dtype) + 1) / size - 1
    ends = points[torch.arange(len(points), device=points.device)[:, None, None], bones]  # [B, k, 2, 2]
    (x, y), along = ends[:, :, 0].unbind(-1), ends[:, :, 1] - ends[:, :, 0]
    right, down = along[..., 0, None, None], along[..., 1, None, None]
    across = axis[None, None, None, :] - x[..., None, None]
    below = axis[None, None, :, None] - y[..., None, None]
    share = (across * right + below * down) / (right.square() + down.square()).clamp(min=1e-8)
    share = share.clamp(0, 1)
    squares = (across - share * right).square() + (below - share * down).square()
    return squares.amin(1).sqrt()


def bones_of(limb: Tensor) -> Tensor:
    """The bones of limbs, numbered as LIMBS, each with its hand or foot: [B] int64 → [B, 3, 2], pairs of the
    points of `joints_in_frame`."""
    chains = [(*joints, TIPS[joints[-1]]) for joints in LIMBS.values()]
    pairs = torch.tensor([list(itertools.pairwise(chain)) for chain in chains], device=limb.device)
    return pairs[limb]


def hide_limbs(
    crops: Tensor, plates: Tensor, points: Tensor, unit: Tensor, limb: Tensor, melted: Tensor
) -> Tensor:
    """Crops [B, 3, s, s] in which a limb can no longer be seen.

    plates: the backgrounds at the same boxes. points [B, 21, 2], unit [B]: in crop coordinates. limb: [B]
    int64, which of LIMBS. melted: [B] bool: the limb and its surroundings are painted in the trunk's mean
    colour; where False the limb is erased: what stands behind shows, trunk or background.
    """
    size, width = crops.shape[-1], unit[:, None, None]
    bones = torch.tensor(TRUNK, device=crops.device).expand(len(crops), -1, -1)
    trunk = (near(points, bones, size) < TRUNK_WIDTH_MM * width)[:, None]
    inside = trunk.to(crops.dtype)
    colour = (crops * inside).sum((2, 3), keepdim=True) / inside.sum((2, 3), keepdim=True).clamp(min=1)
    reach = torch.tensor(WIDTHS_MM, device=crops.device)[limb] * torch.where(melted, 1.5, 1.0) * unit
    apart = near(points, bones_of(limb), size)
    cover = ((reach[:, None, None] - apart) * size / 2 + 0.5).clamp(0, 1)[:, None]
    behind = torch.where(trunk | melted[:, None, None, None], colour, plates)
    return torch.lerp(crops, behind.to(crops.dtype), cover)


def softened(crops: Tensor, level: Tensor) -> Tensor:
    """As if decoded at fewer pixels: reduced to the share SHARPNESS[level] of its side and enlarged again.
    [B, 3, s, s]; level: [B] int64."""
    made, side = crops.clone(), crops.shape[-1]
    for number, share in enumerate(SHARPNESS):
        rows = torch.nonzero(level == number)[:, 0]
        if share < 1 and len(rows):
            small = F.interpolate(crops[rows], size=round(share * side), mode="area")
            made[rows] = F.interpolate(small, size=side, mode="bilinear", align_corners=False)
    return made
