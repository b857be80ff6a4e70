"""Fakes of the engine's rooms: tiny saved networks, and a world whose codes are known.

There people are colours, poses are places, and a network reads both from the picture. What its codes hold is
planted, so every analysis has an answer that must come out."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dpa.models.data.contract import Camera
from dpa.models.data.store import PackedStore, PackedStoreWriter
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.training.checkpoint import save_network

SIZE = 32
SUBJECTS = ("S1", "S5", "S7", "S8")
ACTIONS = ("Eating", "Posing", "Walking")
COLOURS = {"S1": (200, 60, 60), "S5": (60, 170, 70), "S7": (70, 90, 210), "S8": (210, 190, 70)}
SIDE = 8
"""Pixels of the square that is a person."""

WAY = 16.0
"""Pixels that the square's centre can lie from the left and top edge, beyond half its side."""


def picture(colour, place):
    """A square of one colour on grey at `place` in [0, 1]². uint8 [32, 32, 3], and its silhouette."""
    x, y = (round(float(value) * WAY + SIDE / 2) for value in place)
    inside = np.zeros((SIZE, SIZE), dtype=bool)
    inside[y : y + SIDE, x : x + SIDE] = True
    frame = np.full((SIZE, SIZE, 3), 128, dtype=np.uint8)
    frame[inside] = colour
    return frame, inside


def pose_of(place):
    """A place in [0, 1]² → [17, 3] mm: a skeleton bent by the place, root at 0. Smooth and one to one."""
    place = torch.as_tensor(place, dtype=torch.float64)
    joint = torch.arange(17, dtype=torch.float64)
    one, two = place[..., :1], place[..., 1:]
    pose = torch.stack(
        [
            200 * torch.cos(joint + 2 * one),
            200 * torch.sin(2 * joint + 2 * two),
            100 * torch.cos(joint) * one,
        ],
        dim=-1,
    )
    return pose - pose[..., :1, :]


class PlantedNetwork(nn.Module):
    """Reads colour c ∈ [0, 1]³ and place p ∈ [0, 1]² of the square; h_a and h_p hold what `leak` says.

    leak 0: h_a = c, h_p = p (spread over many channels). leak λ: the last channels of h_p hold λ·c, and the
    decoder paints with (1 − λ)·h_a + what they say: with λ = 1 the pose code alone decides the colour. The
    regressor reads the place, moved by `sway` mm on one axis for each unit of red in the last channels.
    """

    POSE, APPEARANCE, COPIES = 24, 6, 4

    def __init__(self, leak: float = 0.0, sway: float = 0.0) -> None:
        super().__init__()
        self.leak, self.sway = leak, sway

    def localise(self, frames: Tensor) -> Tensor:
        return frames.new_tensor([1.0, 1.0, 0.0, 0.0]).expand(len(frames), 4)

    def crop(self, frames: Tensor, box: Tensor) -> Tensor:
        return frames

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        person = (crops - 128 / 255).abs().amax(dim=1) > 0.03
        weight = person.flatten(1).sum(dim=1).clamp(min=1)
        colour = (crops * person[:, None]).flatten(2).sum(dim=2) / weight[:, None]
        axis = torch.arange(SIZE, device=crops.device, dtype=crops.dtype) + 0.5
        place = torch.stack(
            [(person * axis).flatten(1).sum(1), (person * axis[:, None]).flatten(1).sum(1)], dim=1
        )
        place = (place / weight[:, None] - SIDE) / WAY
        return colour.repeat(1, 2), self.pose_code(place, colour)

    def pose_code(self, place: Tensor, colour: Tensor) -> Tensor:
        copies = self.leak * colour.repeat(1, self.COPIES)
        return torch.cat([place.repeat(1, (self.POSE - copies.shape[1]) // 2), copies], dim=1)

    def decode(self, h_a: Tensor, h_p: Tensor) -> tuple[Tensor, Tensor]:
        colour = (1 - self.leak) * h_a[:, :3] + h_p[:, -3 * self.COPIES :].unflatten(1, (-1, 3)).mean(dim=1)
        place = h_p[:, : -3 * self.COPIES].unflatten(1, (-1, 2)).mean(dim=1) * WAY + SIDE / 2
        axis = torch.arange(SIZE, device=h_a.device, dtype=h_a.dtype)
        start = place.round()[:, :, None]
        along = ((axis >= start) & (axis < start + SIDE)).to(h_a.dtype)
        mask = (along[:, 1, :, None] * along[:, 0, None, :])[:, None]
        return colour[:, :, None, None].expand(-1, -1, SIZE, SIZE), mask

    def predict(self, frames: Tensor) -> Tensor:
        h_p = self.encode(frames)[1]
        pose = pose_of(h_p[:, : -3 * self.COPIES].unflatten(1, (-1, 2)).mean(dim=1)).to(frames)
        moved = self.sway * h_p[:, -3]
        return (
            pose
            + moved[:, None, None] * frames.new_tensor([1.0, 0, 0]) * (torch.arange(17) > 0)[None, :, None]
        )


@dataclass(frozen=True)
class Planted:
    """The store's truth. place: [n, 2]; colour: [n, 3] in [0, 1]."""

    store: PackedStore
    place: np.ndarray
    colour: np.ndarray


def write_planted(path, outfit=None, clips=2, frames=3):
    """Every subject does every action in `clips` clips; an action has its own corner of places. outfit: whose
    colour everybody has."""
    rng = np.random.default_rng(0)
    rows, sequence = [], 0
    for subject in SUBJECTS:
        for number, action in enumerate(ACTIONS):
            for _ in range(clips):
                for frame in range(frames):
                    place = (np.array([number, (number * 2) % 3]) + rng.random(2)) / 3
                    rows.append((subject, action, sequence, frame, place))
                sequence += 1
    worn = [outfit or row[0] for row in rows]
    pictures = [picture(COLOURS[name], row[4]) for name, row in zip(worn, rows, strict=True)]
    count = len(rows)
    columns = {
        "subject": np.array([row[0] for row in rows]),
        "action": np.array([row[1] for row in rows]),
        "outfit": np.array(worn),
        "sequence": np.array([row[2] for row in rows]),
        "camera": np.zeros(count, dtype=int),
        "plate": np.zeros(count, dtype=int),
        "frame": np.array([row[3] for row in rows]),
        "time": np.array([row[3] for row in rows], dtype=float),
        "box": np.array([1, 1, 0, 0], dtype=np.float32),
    }
    places = np.stack([row[4] for row in rows])
    with PackedStoreWriter(
        path,
        cameras=[Camera("one", np.eye(3), np.eye(3), np.zeros(3))],
        plates=np.full((1, SIZE, SIZE, 3), 128, dtype=np.uint8),
        fps=1,
        seed=0,
        source="planted",
        count=count,
    ) as writer:
        writer.write(
            0,
            np.stack([one for one, _ in pictures]),
            np.stack([inside for _, inside in pictures]),
            pose_of(places).float().numpy(),
            columns,
        )
    colour = np.array([COLOURS[name] for name in worn]) / 255
    return Planted(PackedStore.open(path), places, colour)


@pytest.fixture(scope="session")
def planted(tmp_path_factory):
    return write_planted(tmp_path_factory.mktemp("planted") / "store")


@pytest.fixture(scope="session")
def planted_outfits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outfits")
    return {name: write_planted(folder / name, outfit=name).store for name in SUBJECTS}


@pytest.fixture
def planted_network():
    """(leak, sway) → a PlantedNetwork."""
    return lambda leak=0.0, sway=0.0: PlantedNetwork(leak, sway).eval()


@pytest.fixture
def saved_network(tmp_path, tiny_sizes):
    """(framework, training) → the folder of a tiny untrained network."""

    def save(framework, training=None):
        folder = tmp_path / f"networks/{framework}"
        save_network(DisentangledNetwork(tiny_sizes, framework), folder, training or {})
        return folder

    return save
