"""Two small worlds for the attack's tests: a tiny real network, and a linear one with closed forms."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dpa.kernels import composite
from dpa.models.data.contract import Camera
from dpa.models.data.store import PackedStore, PackedStoreWriter
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.networks.config import DecoderConfig, HeadConv, NetworkConfig, TrunkConfig
from dpa.models.networks.regressor import Regressor

FRAME = 32


@dataclass(frozen=True)
class World:
    """A network with frames, plates and plate_index that fit it."""

    network: DisentangledNetwork
    frames: Tensor
    plates: Tensor
    plate_index: Tensor


def tiny_config(odd: bool = True) -> NetworkConfig:
    """odd: sizes that leave a remainder wherever a kernel works in blocks, as most networks' do not."""
    trunk = TrunkConfig(
        block="basic",
        stem_channels=4 if odd else 16,
        stem_kernel=3,
        stem_pool=False,
        planes=(6, 8) if odd else (16, 16),
        depths=(1, 1),
        strides=(2, 2),
    )
    return NetworkConfig(
        preset="tiny",
        crop_size=16,
        localiser_size=16,
        appearance_dim=5 if odd else 16,
        pose_dim=9 if odd else 48,
        localiser=trunk,
        encoder=trunk,
        head=(HeadConv(channels=12 if odd else 16, kernel=2),),
        decoder=DecoderConfig(
            start=4, pose_channels=4 if odd else 16, blocks=(8, 6) if odd else (16, 16), convolutions=1
        ),
        regressor_hidden=16,
    )


@torch.no_grad()
def reconstruction_error(world: World) -> Tensor:
    """MPJPE between predictions on the frames and on their reconstructions. [n] mm."""
    network, frames = world.network, world.frames
    box = network.localise(frames)
    rgb, mask = network.decode(*network.encode(network.crop(frames, box)))
    painted = composite(rgb.clamp(0, 1), mask, box, world.plates, world.plate_index)
    return (network.predict(painted) - network.predict(frames)).norm(dim=-1).mean(-1)


@pytest.fixture
def tiny_world() -> Callable[..., World]:
    """(samples, dtype, seed, odd) → a random network of a few thousand parameters whose pose depends on the
    picture: reconstructions are off by 50 mm in the median; in eval mode."""

    def make(samples: int, dtype: torch.dtype = torch.float64, seed: int = 0, odd: bool = True) -> World:
        torch.manual_seed(seed)
        network = DisentangledNetwork(tiny_config(odd), "nsd")
        network.regressor = Regressor(network.config)
        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, nn.Conv2d | nn.Linear):
                    nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                    module.bias is None or module.bias.normal_(0, 0.1)
                if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                    module.running_mean.normal_(0, 0.1)
                    module.running_var.uniform_(0.5, 1.5)
                    module.bias.normal_(0, 0.3)
            network.localiser.readout.weight.normal_(0, 0.05)
            network.decoder.image.weight.mul_(0.3)  # colours away from black and white
        coarse = torch.rand(samples + 2, 3, 8, 8)
        pictures = nn.functional.interpolate(coarse, size=(FRAME, FRAME), mode="bilinear")
        world = World(
            network.to(dtype).eval(),
            pictures[2:].to(dtype),
            pictures[:2].to(dtype),
            torch.arange(samples) % 2,
        )
        # poses are proportional to the deviation: give reconstructions a median error of 50 mm
        network.regressor.std.mul_(50 / reconstruction_error(world).median())
        return world

    return make


class LinearNetwork(nn.Module):
    """A network whose attack can be solved by hand.

    A frame is one grey level g in 0..255. The encoder reads it, the appearance code is that level plus
    an `offset` (a reconstruction that is not perfect), the decoder paints it over the whole frame, and
    every joint but the hip lies at g·17/16 mm on the x axis, so that MPJPE is the change of the grey level.
    Above `breaks_at` the regressor returns NaN.
    """

    crop_size = 8
    localiser_size = 8

    def __init__(self, offset: float = 1.0, breaks_at: float = 1e9) -> None:
        super().__init__()
        self.offset, self.breaks_at = offset, breaks_at

    def localise_thumbnails(self, thumbnails: Tensor) -> Tensor:
        return thumbnails.new_tensor([1.0, 1.0, 0.0, 0.0]).expand(len(thumbnails), 4)

    localise = localise_thumbnails

    def crop(self, frames: Tensor, box: Tensor) -> Tensor:
        return frames

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        grey = 255 * crops.mean(dim=(1, 2, 3))[:, None]
        return grey + self.offset, grey

    def decode(self, h_a: Tensor, h_p: Tensor) -> tuple[Tensor, Tensor]:
        rgb = (h_a / 255)[:, :, None, None].expand(-1, 3, 8, 8)
        return rgb, torch.ones_like(rgb[:, :1])

    def regress(self, h_p: Tensor) -> Tensor:
        grey = h_p + torch.where(h_p > self.breaks_at, torch.nan, 0.0)
        pose = grey.new_zeros(len(grey), 17, 3)
        pose[:, 1:, 0] = grey * 17 / 16
        return pose

    def predict(self, frames: Tensor) -> Tensor:
        return self.regress(self.encode(frames)[1])


@pytest.fixture
def linear_network() -> Callable[..., LinearNetwork]:
    """(offset, breaks_at) → a LinearNetwork in eval mode."""
    return lambda **kwargs: LinearNetwork(**kwargs).eval()


@pytest.fixture
def grey_frames() -> Callable[..., Tensor]:
    """(levels) → frames of one grey level each, float64 [n, 3, 8, 8]."""
    return lambda *levels: (torch.tensor(levels, dtype=torch.float64) / 255)[:, None, None, None].expand(
        -1, 3, 8, 8
    )


def write_tiny_store(path: Path) -> PackedStore:
    """24 frames of 32² px: three subjects, two actions, two cameras, two frames of each clip."""
    rng = np.random.default_rng(0)
    views = list(itertools.product(("S1", "S5", "S11"), ("Walking", "Eating"), (0, 1), (0, 1)))
    subjects, actions, camera, frame = zip(*views, strict=True)
    coarse = torch.rand(len(views) + 2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    smooth = nn.functional.interpolate(coarse, size=(FRAME, FRAME), mode="bilinear")
    pictures = (smooth.permute(0, 2, 3, 1).numpy() * 255).astype(np.uint8)
    columns = {
        "subject": np.array(subjects),
        "action": np.array(actions),
        "outfit": np.array(subjects),
        "sequence": np.arange(len(views)) // 4,
        "camera": np.array(camera),
        "plate": np.array(camera),
        "frame": np.array(frame),
        "time": np.array(frame, dtype=float),
        "box": np.array([0.5, 0.8, 0, 0], dtype=np.float32),
    }
    with PackedStoreWriter(
        path,
        cameras=[Camera(name, np.eye(3), np.eye(3), np.zeros(3)) for name in ("left", "right")],
        plates=pictures[:2],
        fps=1,
        seed=3,
        source="noise",
        count=len(views),
    ) as writer:
        silhouettes = np.zeros((len(views), FRAME, FRAME), dtype=bool)
        poses = rng.normal(0, 300, (len(views), 17, 3)).astype(np.float32)
        writer.write(0, pictures[2:], silhouettes, poses, columns)
    return PackedStore.open(path)


@pytest.fixture
def tiny_store_at() -> Callable[[Path], PackedStore]:
    """(path) → the tiny store, written there."""
    return write_tiny_store


@pytest.fixture
def tiny_store(tmp_path: Path) -> PackedStore:
    return write_tiny_store(tmp_path / "store")
