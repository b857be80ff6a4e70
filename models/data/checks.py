"""How good a clip of one camera is: figures, and what speaks against it.

Pictures are measured on about SAMPLES frames a clip, joints on all. All bounds are the project's choice, wide
enough for studio films and narrow enough for a camera in somebody's hand.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

BONES: Final = (
    (0, 1), (1, 2), (2, 3), (0, 4), (4, 5), (5, 6), (0, 7), (7, 8),
    (8, 9), (9, 10), (8, 11), (11, 12), (12, 13), (8, 14), (14, 15), (15, 16),
)  # fmt: skip
"""Pairs of the contract's joints."""

LEGS: Final = (1, 2, 4, 5)
"""Of BONES: thighs and shanks."""

SAMPLES: Final = 40
FEW: Final = 10
"""Frames below which no plate can be judged."""

COARSE: Final = 160
"""Pixels of the longer side at which people are counted and the camera's steadiness is measured."""

DIFFERENCE: Final = 28
"""Of 255, in any channel: more is another thing than the plate."""

APART: Final = 0.08
"""Of the longer side: pieces of a silhouette that are nearer are one person's."""

ON_A_BONE: Final = 24
"""Points looked at along each bone."""

UNEXPLAINED, DRIFT, ALONE, EMPTY = 0.05, 0.01, 0.7, 0.2
ON_SKELETON, ON_LEGS, IN_BOX, IN_FRAME, SPREAD = 0.7, 0.6, 0.95, 0.9, 0.1


@dataclass(frozen=True)
class Figures:
    """Of one clip seen by one camera; None where nothing is known to measure it by.

    frames: in all. unexplained: share of the pixels away from the person that are not the plate, median over
    the frames. drift: how far frames are shifted against the first, 90th percentile, as a share of the longer
    side. alone: share of frames with one person, or none; empty: with none. in_box: the silhouette's share of
    its box, median. on_skeleton, on_legs: share of the points along bones that the silhouette covers, median.
    joints_in_box, joints_in_frame: share of the projected joints. bone_spread: standard deviation of the
    bones' lengths over their mean, mean of the 16. gap: the longest time between frames over the usual one.
    """

    frames: int
    unexplained: float
    drift: float
    alone: float
    empty: float
    in_box: float
    on_skeleton: float | None
    on_legs: float | None
    joints_in_box: float | None
    joints_in_frame: float | None
    bone_spread: float | None
    gap: float

    def faults(self) -> list[str]:
        """What speaks against the clip, in words with the figure; empty for a good one, and of pictures for
        one too short to tell a plate from people."""
        few = self.frames < FEW * (1 - self.empty)
        bones, legs = _missed(self.on_skeleton), _missed(self.on_legs)
        box, frame, spread = _missed(self.joints_in_box), _missed(self.joints_in_frame), self.bone_spread or 0
        pictures = (
            (self.drift, DRIFT, f"the camera moves (by {self.drift:.1%} of the frame)"),
            (
                self.unexplained,
                UNEXPLAINED,
                f"the plate does not hold ({self.unexplained:.0%} differ from it)",
            ),
            (
                1 - self.alone,
                1 - ALONE,
                f"more than one person or moving thing ({1 - self.alone:.0%} of frames)",
            ),
            (self.empty, EMPTY, f"nobody to be seen ({self.empty:.0%} of the frames)"),
            (bones, 1 - ON_SKELETON, f"the silhouette misses {bones:.0%} of the bones"),
            (legs, 1 - ON_LEGS, f"the silhouette misses {legs:.0%} of the legs"),
        )
        joints = (
            (box, 1 - IN_BOX, f"{box:.0%} of the joints lie outside the box"),
            (frame, 1 - IN_FRAME, f"{frame:.0%} of the joints lie outside the frame"),
            (spread, SPREAD, f"bones change their length (by {spread:.0%})"),
        )
        said = joints if few else pictures + joints
        return [words for found, most, words in said if found > most + 1e-9]

    def to_json(self) -> dict[str, float | int | None]:
        """Numbers by name, as the class has them."""
        return {name: _rounded(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> "Figures":
        """What `to_json` made. Raises TypeError for other names."""
        return cls(**value)  # type: ignore[arg-type]  # names are checked by the call


def _rounded(value: float | int | None) -> float | int | None:
    return round(value, 5) if isinstance(value, float) else value


def _missed(share: float | None) -> float:
    return 0.0 if share is None else 1 - share


Sample = tuple[int, NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]


@dataclass(frozen=True)
class Clip:
    """What is measured: n frames of one camera. samples: of the frames that `sampled` names, number, frame
    and plate uint8 [H, W, 3], silhouette bool [H, W]. size: (H, W). boxes: θ [n, 4]; joints: [n, 17, 2]
    pixels, None or NaN where unknown; poses: [n, 17, 3] mm, likewise; times: [n] seconds. fixed: whether all
    frames have one plate. empty: frames without anybody that were already left out."""

    samples: Iterable[Sample]
    size: tuple[int, int]
    boxes: NDArray[np.float32]
    joints: NDArray[np.floating] | None
    poses: NDArray[np.floating] | None
    times: NDArray[np.float64]
    fixed: bool = True
    empty: int = 0


def sampled(count: int) -> NDArray[np.int64]:
    """The frames of a clip that pictures are measured on."""
    return np.unique(np.linspace(0, max(count - 1, 0), SAMPLES).round().astype(np.int64))[:count]


def measured(clip: Clip) -> Figures:
    """The figures of a clip."""
    count = len(clip.boxes)
    joints = _known(clip.joints)
    h, w = clip.size
    unexplained: list[float] = []
    in_box: list[float] = []
    people: list[int] = []
    edges: list[NDArray[np.float32]] = []
    on_bones: list[NDArray[np.float64]] = []
    for row, frame, plate, mask in clip.samples:
        away = _differs(frame, plate)
        inside = _box_range(clip.boxes[row], (h, w))
        in_box.append(float(mask[inside].mean()) if mask[inside].size else 0.0)
        people.append(_people(away, clip.boxes[row], mask))
        outside = np.ones((h, w), bool)
        outside[_box_range(clip.boxes[row], (h, w), 1.2)] = False
        unexplained.append(float(away[outside].mean()) if outside.mean() > 0.02 else 0.0)
        edges.append(_edges(frame))
        if joints is not None:
            on_bones.append(_covered(mask, joints[row]))
    covered = np.array(on_bones) if on_bones else None
    return Figures(
        frames=count,
        unexplained=_middle(unexplained),
        drift=_drift(edges) / COARSE if clip.fixed else 0.0,
        alone=float(np.mean(np.array(people) <= 1)) if people else 1.0,
        empty=clip.empty / max(count + clip.empty, 1),
        in_box=_middle(in_box),
        on_skeleton=None if covered is None else float(np.median(covered.mean(axis=1))),
        on_legs=None if covered is None else float(np.median(covered[:, LEGS].mean(axis=1))),
        joints_in_box=None if joints is None else _inside(joints, clip.boxes, (h, w)),
        joints_in_frame=None if joints is None else _inside(joints, np.array([[1, 1, 0, 0]]), (h, w)),
        bone_spread=_bone_spread(_known(clip.poses)),
        gap=_gap(clip.times),
    )


def _known(points: NDArray[np.floating] | None) -> NDArray[np.floating] | None:
    return None if points is None or not len(points) or np.isnan(points).any() else points


def _middle(values: list[float]) -> float:
    return float(np.median(values)) if values else 0.0


def _differs(frame: NDArray[np.uint8], plate: NDArray[np.uint8]) -> NDArray[np.bool_]:
    far = np.maximum(frame, plate) - np.minimum(frame, plate) > DIFFERENCE
    return np.asarray(far[..., 0] | far[..., 1] | far[..., 2])


def _box_range(box: NDArray[np.floating], size: tuple[int, int], wider: float = 1.0) -> tuple[slice, slice]:
    """Rows and columns of a frame of `size` (H, W) inside a box θ that is made `wider`."""
    ranges = []
    for scale, shift, length in ((box[1], box[3], size[0]), (box[0], box[2], size[1])):
        low, high = ((float(shift) + sign * wider * float(scale) + 1) / 2 * length for sign in (-1, 1))
        ranges.append(slice(int(np.clip(round(low), 0, length)), int(np.clip(round(high), 0, length))))
    return ranges[0], ranges[1]


def _people(away: NDArray[np.bool_], box: NDArray[np.floating], mask: NDArray[np.bool_]) -> int:
    """How many things as large as a quarter of the person differ from the plate. The person counts once,
    whole or in pieces: what lies in its box is one."""
    step = max(max(away.shape) // COARSE, 1)
    coarse = away[::step, ::step].copy()
    coarse[_box_range(box, (coarse.shape[0], coarse.shape[1]))] = False
    regions, count = ndimage.label(ndimage.binary_dilation(coarse, np.ones((3, 3), bool)))
    own = int(mask[::step, ::step].sum())
    if not own:
        return 0
    areas = ndimage.sum_labels(coarse, regions, np.arange(1, count + 1))
    return 1 + int((np.asarray(areas) >= max(own / 4, 12)).sum()) + _apart(mask[::step, ::step])


def _apart(mask: NDArray[np.bool_]) -> int:
    """How many more people the silhouette itself holds: pieces far from one another, each a third of all."""
    reach = max(round(APART * max(mask.shape) / 2), 1)
    regions, count = ndimage.label(ndimage.binary_dilation(mask, np.ones((3, 3), bool), iterations=reach))
    areas = np.asarray(ndimage.sum_labels(mask, regions, np.arange(1, count + 1)))
    return max(int((areas >= mask.sum() / 4).sum()) - 1, 0)


def _edges(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Edges [COARSE', COARSE'] of a frame made coarse, faded towards its borders."""
    step = max(max(frame.shape[:2]) / COARSE, 1.0)
    grey = ndimage.zoom(frame.astype(np.float32).mean(axis=-1), 1 / step, order=1)
    edges = np.hypot(ndimage.sobel(grey, 0), ndimage.sobel(grey, 1))
    fade = np.outer(np.hanning(edges.shape[0]), np.hanning(edges.shape[1]))
    return np.asarray(np.minimum(edges, np.percentile(edges, 95)) * fade, np.float32)


def _drift(edges: list[NDArray[np.float32]]) -> float:
    """Pixels by which frames are shifted against the first, 90th percentile, by phase correlation."""
    if len(edges) < 2 or not edges[0].any():
        return 0.0
    first = np.conj(np.fft.rfft2(edges[0]))
    shifts = []
    for other in edges[1:]:
        product = first * np.fft.rfft2(other)
        response = np.fft.irfft2(product / np.maximum(np.abs(product), 1e-6), other.shape)
        place = np.array(np.unravel_index(int(response.argmax()), response.shape))
        shape = np.array(response.shape)
        shifts.append(float(np.hypot(*np.minimum(place, shape - place))))
    return float(np.percentile(shifts, 90))


def _covered(mask: NDArray[np.bool_], joints: NDArray[np.floating]) -> NDArray[np.float64]:
    """Of the points along each bone, [16] shares that the silhouette covers. Those outside do not count."""
    ends = joints[np.array(BONES)]
    along = np.linspace(0, 1, ON_A_BONE)[None, :, None]
    points = ends[:, :1] * (1 - along) + ends[:, 1:] * along
    u, v = np.floor(points[..., 0]).astype(int), np.floor(points[..., 1]).astype(int)
    within = (u >= 0) & (v >= 0) & (u < mask.shape[1]) & (v < mask.shape[0])
    hit = mask[np.clip(v, 0, mask.shape[0] - 1), np.clip(u, 0, mask.shape[1] - 1)] & within
    return np.where(within.any(axis=1), hit.sum(axis=1) / np.maximum(within.sum(axis=1), 1), 1.0)


def _inside(joints: NDArray[np.floating], boxes: NDArray[np.floating], size: tuple[int, int]) -> float:
    """Share of the joints [n, 17, 2] that lie in the boxes θ [n or 1, 4]."""
    places = joints / np.array(size[::-1]) * 2 - 1
    near = np.abs(places - boxes[:, None, 2:]) <= boxes[:, None, :2]
    return float(near.all(axis=-1).mean())


def _bone_spread(poses: NDArray[np.floating] | None) -> float | None:
    if poses is None:
        return None
    ends = poses[:, np.array(BONES)].astype(np.float64)
    lengths = np.linalg.norm(ends[:, :, 0] - ends[:, :, 1], axis=-1)
    return float((lengths.std(axis=0) / np.maximum(lengths.mean(axis=0), 1e-6)).mean())


def _gap(times: NDArray[np.float64]) -> float:
    steps = np.diff(times)
    return float(steps.max() / np.median(steps)) if len(steps) and np.median(steps) > 0 else 1.0
