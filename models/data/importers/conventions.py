"""What data sets disagree on: order of the joints, names of the actions, and what a box encloses."""

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .catalogue import PictureFiles, View

FROM_H36M_32: Final = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
"""Human3.6M's 32 joints (docs/data-sets.md)."""

FROM_MPI_17: Final = (14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4)
"""MPI-INF-3DHP's relevant 17: head top, neck, arms, legs (right first), pelvis, spine, head."""

_MPI_17_OF_28: Final = (7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 4, 3, 6)

FROM_MPI_28: Final = tuple(_MPI_17_OF_28[i] for i in FROM_MPI_17)
"""MPI-INF-3DHP's 28 joints (docs/data-sets.md)."""


def seventeen(joints: NDArray[np.floating], order: tuple[int, ...]) -> NDArray[np.float32]:
    """Joints [n, j, d] in another order → float32 [n, 17, d]; 17 given as such by Human3.6M stay."""
    if joints.shape[1] == 17 and order is FROM_H36M_32:
        return joints.astype(np.float32)
    return joints[:, order].astype(np.float32)


def in_millimetres(poses: NDArray[np.floating]) -> NDArray[np.float32]:
    """Poses [n, 17, 3] in metres or mm → mm. Nobody's joints lie 10 m, or under 10 mm, from the hip."""
    spread = np.median(np.linalg.norm(poses[:, 1:] - poses[:, :1], axis=-1)) if len(poses) else 1000.0
    return (poses * (1000.0 if spread < 10 else 1.0)).astype(np.float32)


ACTIONS: Final = (
    "Directions",
    "Discussion",
    "Eating",
    "Greeting",
    "Phoning",
    "Posing",
    "Purchases",
    "Sitting",
    "SittingDown",
    "Smoking",
    "Photo",
    "Waiting",
    "Walking",
    "WalkDog",
    "WalkTogether",
)
"""In the order of the data set's own numbers, which begin at 2."""

FIRST_ACTION: Final = 2

CAMERAS: Final = ("54138969", "55011271", "58860488", "60457274")
"""In the order of the data set's own numbers, which begin at 1."""

FPS: Final = 50.0

WHOLE: Final = 0.95
"""Share of the annotated frames that a film must have."""

_OTHER_SPELLINGS: Final = {
    "takingphoto": "Photo",
    "walkingdog": "WalkDog",
    "walkingtogether": "WalkTogether",
    "phonecall": "Phoning",
    "phone": "Phoning",
    "purchase": "Purchases",
    "smoke": "Smoking",
}
_SPELLINGS: Final = {name.lower(): name for name in ACTIONS} | _OTHER_SPELLINGS


def action_name(given: str) -> str:
    """The one spelling of an action (TakingPhoto → Photo); a name that is not known stays as it is."""
    return _SPELLINGS.get(re.sub(r"[\s_-]", "", given).lower(), given)


def action_and_clip(given: str) -> tuple[str, str]:
    """("Photo", "1") of TakingPhoto-1, "TakingPhoto 1" or TakingPhoto_1; ("Photo", "") of Photo."""
    match = re.fullmatch(r"(.*?)[\s_-]*(\d*)", given)
    assert match is not None  # the pattern fits any name
    return action_name(match[1]), match[2]


def corrupt(view: View) -> str | None:
    """Why a view of Human3.6M's pictures must be left out, or None.

    The film of S11's second `Directions` (in the original files the one without a number) broke off until it
    was repaired at its source in August 2020: its pictures tell which of the two it was.
    """
    camera = view.camera.split(".")[-1]
    if (view.subject, view.action, camera) != ("S11", "Directions", "54138969"):
        return None
    if view.clip not in ("", "2", "02") or not isinstance(view.pictures, PictureFiles):
        return None
    there = sum(view.pictures.path(index).is_file() for index in range(len(view.numbers)))
    return breaks_off(there, len(view.numbers))


def breaks_off(there: int, annotated: int) -> str | None:
    """Why a film with `there` frames of so many annotated ones is left out, or None."""
    if there >= WHOLE * annotated:
        return None
    return f"breaks off: {there} of {annotated} frames, as a film known to be corrupt in Human3.6M"


# Person boxes θ = (sx, sy, tx, ty): square in pixels, with a margin; see the data contract.


JOINT_MARGIN: Final = 1.3
"""Over the joints' extent: hands, feet and the scalp reach beyond them. The project's choice; with it the
boxes of the synthetic set, whose true extent is known, are met within about a tenth."""

BODY_MARGIN: Final = 1.15
"""Over a silhouette's extent: that of the synthetic set."""


def around_points(
    points: NDArray[np.floating], size: tuple[int, int], margin: float = JOINT_MARGIN
) -> NDArray[np.float32]:
    """Squares around points [n, j, 2] pixels of a picture of `size` (H, W) → θ [n, 4]."""
    return from_corners(points.min(axis=1), points.max(axis=1), size, margin)


def from_corners(
    low: NDArray[np.floating], high: NDArray[np.floating], size: tuple[int, int], margin: float = 1.0
) -> NDArray[np.float32]:
    """Squares about the rectangles from `low` to `high`, each [n, 2] = (u, v) pixels → θ [n, 4]."""
    width_height = np.array(size[::-1], dtype=np.float64)
    side = (high - low).max(axis=1, keepdims=True) * margin
    centre = (low + high) / width_height - 1
    return np.concatenate([side / width_height, centre], axis=1).astype(np.float32)


def pixel_range(box: NDArray[np.float32], size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of a frame of `size` (H, W) that a box θ [4] touches."""
    ranges = []
    for scale, shift, length in ((box[1], box[3], size[0]), (box[0], box[2], size[1])):
        low, high = ((float(shift) + sign * float(scale) + 1) / 2 * length for sign in (-1, 1))
        ranges.append(slice(max(int(np.floor(low)), 0), max(int(np.ceil(high)), 0)))
    return ranges[0], ranges[1]
