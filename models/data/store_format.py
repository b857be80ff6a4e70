"""The packed store on disk: its files, their sizes, and the manifest that vouches for them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, JsonValue, NonNegativeInt, PositiveFloat, PositiveInt

from dpa.models.data.store_errors import BrokenIndex, MissingPlate

FORMAT_VERSION: Final = 1

MANIFEST: Final = "manifest.json"
FRAMES: Final = "frames.u8"
SILHOUETTES: Final = "silhouettes.bits"
PLATES: Final = "plates.u8"
POSES: Final = "poses.f32"
INDEX: Final = "index.parquet"
CAMERAS: Final = "cameras.json"
JOINTS: Final = 17


class Layout(BaseModel):
    """How many of what size: all that a writer in another process must know."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    count: PositiveInt
    height: PositiveInt
    width: PositiveInt
    plates: PositiveInt

    @property
    def silhouette_bytes(self) -> int:
        """Bytes of one bit-packed silhouette. Each begins on a byte, so that frames can be written apart."""
        return (self.height * self.width + 7) // 8

    def bytes(self) -> dict[str, int]:
        """Exact length of every raw file."""
        image = self.height * self.width * 3
        return {
            FRAMES: self.count * image,
            SILHOUETTES: self.count * self.silhouette_bytes,
            PLATES: self.plates * image,
            POSES: self.count * JOINTS * 3 * 4,
        }


class Manifest(BaseModel):
    """manifest.json. No time of day in it: the same data gives the same bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal["dpa-packed-store"] = "dpa-packed-store"
    version: int = FORMAT_VERSION
    layout: Layout
    cameras: PositiveInt
    fps: PositiveFloat
    seed: int | None
    source: str
    meta: Mapping[str, JsonValue]
    bytes: Mapping[str, NonNegativeInt]


def file_size(path: Path) -> int | None:
    """Length of a regular file, None where there is none."""
    return path.stat().st_size if path.is_file() else None


def check_references(
    path: Path, plate: NDArray[np.int64], camera: NDArray[np.int64], manifest: Manifest
) -> None:
    """Raises MissingPlate or BrokenIndex if a row points at a plate or camera that is not in the store."""
    for numbers, limit, error in (
        (plate, manifest.layout.plates, MissingPlate),
        (camera, manifest.cameras, BrokenIndex),
    ):
        name = "plate" if error is MissingPlate else "camera"
        if numbers.min() < 0 or numbers.max() >= limit:
            raise error(
                path,
                found=f"{name} numbers {numbers.min()} to {numbers.max()} in the index",
                expected=f"{name} numbers from 0 to {limit - 1}",
            )
