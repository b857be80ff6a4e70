"""The data contract: what every data set, synthetic or imported, says about a frame.

Frames are uint8 [H, W, 3] RGB; poses are [17, 3] mm, root-relative, in camera axes (x right, y down,
z forward); silhouettes are bool [H, W]; every frame points at a camera and at a clean background plate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpa.models.errors import InputError

JOINT_NAMES: Final = (
    "hip",
    "right hip",
    "right knee",
    "right foot",
    "left hip",
    "left knee",
    "left foot",
    "spine",
    "thorax",
    "neck/nose",
    "head",
    "left shoulder",
    "left elbow",
    "left wrist",
    "right shoulder",
    "right elbow",
    "right wrist",
)

NAME_LENGTH: Final = 48
"""Longest subject, action or outfit name, in characters."""

COLUMNS: Final = np.dtype(
    [
        ("subject", f"<U{NAME_LENGTH}"),
        ("action", f"<U{NAME_LENGTH}"),
        ("outfit", f"<U{NAME_LENGTH}"),
        ("sequence", "<i8"),
        ("camera", "<i8"),
        ("plate", "<i8"),
        ("frame", "<i4"),
        ("time", "<f8"),
        ("box", "<f4", (4,)),
    ]
)
"""The index, one row a frame. sequence: unique id of a clip (one motion of one subject), shared by the
cameras that saw it. camera, plate: indices into cameras and plates. frame: number within the clip.
time: seconds since the clip began; temporal distances come from it, never from the row number.
box: θ = (sx, sy, tx, ty) of the true person with a margin, normalised, align_corners=False.
outfit: whose clothes the subject wears."""


@dataclass(frozen=True, eq=False)
class Camera:
    """A calibrated pinhole camera.

    intrinsics: [3, 3] in pixels of the stored frame, measured from its edges (u in [0, W], the first
    pixel's centre is 0.5). rotation: [3, 3] world → camera axes. translation: [3] mm. A world point X is
    at rotation·X + translation in the camera's axes.
    """

    name: str
    intrinsics: NDArray[np.float64]
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]

    def __post_init__(self) -> None:
        for field, shape in (("intrinsics", (3, 3)), ("rotation", (3, 3)), ("translation", (3,))):
            value = np.array(getattr(self, field), dtype=np.float64)
            if value.shape != shape or not np.isfinite(value).all():
                raise InputError(
                    found=f"camera {self.name!r}: {field} of shape {value.shape}",
                    expected=f"finite numbers of shape {shape}",
                    remedy="correct the calibration",
                )
            object.__setattr__(self, field, value)

    def to_camera(self, world_mm: ArrayLike) -> NDArray[np.float64]:
        """World points [..., 3] mm to the camera's axes, [..., 3] mm."""
        return np.asarray(world_mm, dtype=np.float64) @ self.rotation.T + self.translation

    def project(self, world_mm: ArrayLike) -> NDArray[np.float64]:
        """World points [..., 3] mm to pixels [..., 2] = (u, v); the points must lie before the camera."""
        homogeneous = self.to_camera(world_mm) @ self.intrinsics.T
        pixels: NDArray[np.float64] = homogeneous[..., :2] / homogeneous[..., 2:]
        return pixels

    def to_json(self) -> dict[str, object]:
        """Plain lists and strings; `from_json` restores the same doubles."""
        return {
            "name": self.name,
            "intrinsics": self.intrinsics.tolist(),
            "rotation": self.rotation.tolist(),
            "translation": self.translation.tolist(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> "Camera":
        """Raises KeyError, TypeError or ValueError if `value` is not what `to_json` makes."""
        numbers = {
            key: np.array(value[key], dtype=np.float64) for key in ("intrinsics", "rotation", "translation")
        }
        return cls(name=str(value["name"]), **numbers)


def clip_rows(count: int, columns: Mapping[str, object]) -> NDArray[np.void]:
    """The named columns as `count` rows of the index. A scalar stands for all rows.

    Raises InputError for a missing or unknown column, a wrong length and a name that is too long.
    """
    names: Sequence[str] = COLUMNS.names or ()
    if set(columns) != set(names):
        raise InputError(
            found=f"index columns {', '.join(sorted(columns))}",
            expected=", ".join(names),
            remedy="give exactly these columns",
        )
    rows = np.zeros(count, dtype=COLUMNS)
    for name in names:
        given = np.asarray(columns[name])
        shape = rows[name].shape
        if given.shape not in (shape, shape[1:]):
            raise InputError(
                found=f"column {name!r} of shape {given.shape}",
                expected=f"shape {shape}, or {shape[1:]} for all rows",
                remedy="give one entry a frame",
            )
        if rows[name].dtype.kind == "U" and np.char.str_len(given.astype(str)).max(initial=0) > NAME_LENGTH:
            raise InputError(
                found=f"a name of more than {NAME_LENGTH} characters in column {name!r}",
                expected=f"at most {NAME_LENGTH} characters",
                remedy="shorten the name",
            )
        rows[name] = given
    return rows
