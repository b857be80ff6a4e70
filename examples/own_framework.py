"""A framework of one's own, in the shape that dpa-engine takes: `--target examples.own_framework:load`.

Everything differs from the project's networks that may: codes of other sizes (one of them a map), ImageNet's
normalisation, no mask, no localiser, another crop. The weights are random: put `load_state_dict` of your own
into `load`, and nothing else changes. The contract: dpa/models/frameworks/protocol.py.
"""

import torch
from torch import Tensor, nn


class OwnFramework(nn.Module):
    """An autoencoder whose code is split in two, and a linear read-out of the pose."""

    framework = "own"  # its name in figures and tables
    crop_size = 48  # pixels of a crop's side
    localiser_size = 32  # pixels of the frame as `localise` is given it
    image_mean = (0.485, 0.456, 0.406)
    image_std = (0.229, 0.224, 0.225)

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(3, 12, 4, 4), nn.ReLU(), nn.Conv2d(12, 16, 4, 4), nn.Flatten(), nn.Tanh()
        )
        self.to_appearance = nn.Linear(144, 24)
        self.to_pose = nn.Linear(144, 2 * 6 * 6)
        self.from_codes = nn.Linear(24 + 2 * 6 * 6, 8 * 6 * 6)
        self.paint = nn.Sequential(
            nn.ConvTranspose2d(8, 8, 4, 4), nn.ReLU(), nn.ConvTranspose2d(8, 3, 2, 2), nn.Tanh()
        )
        self.to_joints = nn.Linear(2 * 6 * 6, 17 * 3)

    def localise(self, frames: Tensor) -> Tensor:
        """No localiser: a box (sx, sy, tx, ty) that covers the whole frame."""
        return frames.new_tensor([1.0, 1.0, 0.0, 0.0]).expand(frames.shape[0], 4)

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 3, 48, 48], normalised → appearance [B, 24], pose [B, 2, 6, 6]."""
        shared = self.trunk(crops)
        return self.to_appearance(shared), self.to_pose(shared).reshape(-1, 2, 6, 6)

    def decode(self, appearance: Tensor, pose: Tensor) -> Tensor:
        """Codes → rgb [B, 3, 48, 48], normalised; without a mask it covers the whole box."""
        codes = torch.cat([appearance, pose.flatten(1)], dim=1)
        return self.paint(self.from_codes(codes).reshape(-1, 8, 6, 6))

    def regress(self, pose: Tensor) -> Tensor:
        """[B, 2, 6, 6] → [B, 17, 3] mm, the hip at 0."""
        joints = 300 * self.to_joints(pose.flatten(1)).reshape(-1, 17, 3)
        return joints - joints[:, :1]


def load() -> OwnFramework:
    """What `examples.own_framework:load` calls."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = OwnFramework()
    # network.load_state_dict(torch.load("mine.pth", weights_only=True))
    return network.eval()
