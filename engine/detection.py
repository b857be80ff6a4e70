"""A yardstick from outside: a detector that was trained on photographs, and never on this project's people,
looks at input, synthesised and adversarial frames. Does it find the person, and does it read the same pose?

Who is asked takes no part in any training or choice of weights: half of the clips are kept for the final
figure (`half`), and networks are compared on the other one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dpa.engine.intervals import mean_interval
from dpa.kernels import composite, crop
from dpa.models.data.store import PackedStore
from dpa.models.errors import InputError
from dpa.models.frameworks.base import DisentangledNetwork

SIDE = 384
"""Pixels to which each person's square is enlarged before the detector looks."""
MARGIN = 1.25
"""The square's side over the true box's."""
ALIKE = 0.25
"""Mean shift in torso lengths below which two readings show one pose."""
SHOULDERS, HIPS = (0, 1), (6, 7)

Detector = Callable[[NDArray[np.uint8]], NDArray[np.float64] | None]
"""A picture, uint8 [SIDE, SIDE, 3] RGB → twelve keypoints [12, 2] in pixels (left and right shoulders,
elbows, wrists, hips, knees, ankles), or None where it finds nobody."""


class NoDetector(InputError):
    """The detector's library is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "mediapipe, which holds the detector, is not installed",
            "the extra `detector`",
            'pip install "dpa-engine[detector]"',
        )


@dataclass(frozen=True)
class Seen:
    """What a detector saw of n people in two pictures each, the input and a later one.

    found_before, found: [n] bool. shift: [n], mean distance of the twelve keypoints in torso lengths of the
    input; NaN where it found nobody in one of the two. clips: [n], the clip of each, for the intervals.
    """

    found_before: NDArray[np.bool_]
    found: NDArray[np.bool_]
    shift: NDArray[np.float64]
    clips: NDArray[np.int64]

    def summary(self) -> dict[str, float | int | None]:
        """Shares of those found in the input, with 95 % intervals over clips: found again; read alike, mean
        shift below ALIKE; and the shift's quantiles among those found twice."""
        base = self.found_before
        told: dict[str, float | int | None] = {"people": len(base), "found_in_input": int(base.sum())}
        for name, values in (("found", self.found), ("alike", np.nan_to_num(self.shift, nan=np.inf) < ALIKE)):
            chosen = values[base].astype(float)
            low, high = mean_interval(chosen, self.clips[base]) or (None, None)
            told |= {name: float(chosen.mean()) if len(chosen) else None}
            told |= {f"{name}_low": low, f"{name}_high": high}
        shifts = self.shift[base & np.isfinite(self.shift)]
        for percent in (10, 50, 90):
            told[f"shift_p{percent}"] = float(np.percentile(shifts, percent)) if len(shifts) else None
        return told


def blaze_pose() -> Detector:
    """BlazePose as mediapipe's wheel holds it: nothing is downloaded. Raises NoDetector."""
    try:
        import mediapipe
    except ImportError as error:
        raise NoDetector from error
    pose = mediapipe.solutions.pose.Pose(static_image_mode=True, model_complexity=1)
    chosen = (11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)

    def detect(picture: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        found: Any = pose.process(np.ascontiguousarray(picture)).pose_landmarks
        if found is None:
            return None
        points = [(found.landmark[index].x, found.landmark[index].y) for index in chosen]
        return np.asarray(points) * (picture.shape[1], picture.shape[0])

    return detect


def half(store: PackedStore, final: bool) -> NDArray[np.int64]:
    """The rows of one half of the clips, ascending: those kept for the final figure, or the others."""
    clips = np.random.default_rng(0xDE7EC7).permutation(np.unique(store.sequence))
    kept = np.isin(store.sequence, clips[: len(clips) // 2])
    return np.flatnonzero(kept if final else ~kept)


def enlarged(frames: Tensor, boxes: Tensor) -> NDArray[np.uint8]:
    """Each person's square. frames: [n, 3, H, W] in [0, 1]; boxes: [n, 4], true ones → [n, SIDE, SIDE, 3]."""
    side = MARGIN * boxes[:, :2].amax(1, keepdim=True)
    squares = crop(frames, torch.cat([side, side, boxes[:, 2:]], dim=1), SIDE)
    return (squares.clamp(0, 1).permute(0, 2, 3, 1) * 255 + 0.5).to(torch.uint8).cpu().numpy()


def keypoints(detector: Detector, frames: Tensor, boxes: Tensor) -> list[NDArray[np.float64] | None]:
    """What the detector reads of each person. frames: [n, 3, H, W] in [0, 1], people at `boxes` [n, 4]."""
    return [detector(picture) for picture in enlarged(frames, boxes)]


def compare(
    before: Sequence[NDArray[np.float64] | None],
    after: Sequence[NDArray[np.float64] | None],
    clips: NDArray[np.int64],
) -> Seen:
    """Readings of the same n people, of clips [n], in their input and in a later picture."""
    shifts = np.full(len(before), np.nan)
    for row, (one, other) in enumerate(zip(before, after, strict=True)):
        if one is not None and other is not None:
            torso = np.linalg.norm(one[list(SHOULDERS)].mean(0) - one[list(HIPS)].mean(0))
            shifts[row] = np.linalg.norm(one - other, axis=1).mean() / max(torso, 1e-9)
    found_before, found = (np.array([one is not None for one in points]) for points in (before, after))
    return Seen(found_before, found, shifts, clips)


def synthesised(network: DisentangledNetwork, frames: Tensor, plates: Tensor, index: Tensor) -> Tensor:
    """Frames in which the network paints the people of others with their own codes. [n, 3, H, W] → same."""
    with torch.no_grad():
        box = network.localise(frames)
        rgb, mask = network.decode(*network.encode(network.crop(frames, box)))
        made: Tensor = composite(rgb.clamp(0, 1), mask, box, plates, index)
    return made


Attacked = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Frames [n, 3, H, W], plates and the plates' index [n] → the frames synthesised before and after an attack,
uint8 [n, 3, H, W]."""


def measure(
    network: DisentangledNetwork,
    store: PackedStore,
    rows: NDArray[np.int64],
    detector: Detector,
    attack: Attacked | None = None,
) -> dict[str, Seen]:
    """What the detector sees of these rows' people, from their input to the `synthesised` frame and, where an
    attack is given, on to the `adversarial` one."""
    device = next(network.parameters()).device
    plates = store.plates_tensor().to(device)
    parts: dict[str, list[Seen]] = {}
    for some in np.array_split(rows, max(1, len(rows) // 64)):
        frames, index = store.frames_at(some).to(device), torch.from_numpy(store.plate[some]).to(device)
        if attack is None:
            made = {"synthesised": synthesised(network, frames, plates, index)}
        else:
            before, after = attack(frames, plates, index)
            made = {"synthesised": before.float() / 255, "adversarial": after.float() / 255}
        boxes = torch.from_numpy(store.box[some]).to(device)
        original = keypoints(detector, frames, boxes)
        for stage, pictures in made.items():
            later = keypoints(detector, pictures.to(device), boxes)
            parts.setdefault(stage, []).append(compare(original, later, store.sequence[some]))
    return {stage: _joined(seen) for stage, seen in parts.items()}


def _joined(parts: list[Seen]) -> Seen:
    columns = (np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Seen))
    return Seen(*columns)
