"""The packed store: a data set that opens at once and hands out random batches from memory maps."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import ValidationError

from dpa.models.data.contract import COLUMNS, Camera
from dpa.models.data.store_format import (
    CAMERAS,
    FORMAT_VERSION,
    FRAMES,
    INDEX,
    JOINTS,
    MANIFEST,
    PIXELS,
    PLATES,
    POSES,
    SILHOUETTES,
    BrokenIndex,
    Manifest,
    MissingPlate,
    NotAStore,
    TruncatedFile,
    WrongVersion,
    check_references,
    file_size,
)
from dpa.models.data.store_writer import PackedStoreWriter
from dpa.models.data.tables import from_table
from dpa.models.documents import read_json
from dpa.models.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


def read_manifest(folder: Path) -> Manifest:
    """The manifest, after the length of every file has been compared with it.

    Raises NotAStore, WrongVersion, MissingPlate, TruncatedFile.
    """
    try:
        document = read_json(folder / MANIFEST)
    except FileNotFoundError:
        raise NotAStore(folder, f"no {MANIFEST}" if folder.is_dir() else "no such folder") from None
    except (OSError, ValueError) as error:
        raise NotAStore(folder, f"{MANIFEST} cannot be read ({error})") from error
    if not isinstance(document, dict) or document.get("format") != "dpa-packed-store":
        raise NotAStore(folder, f"{MANIFEST} is not a packed store's")
    if document.get("version") != FORMAT_VERSION:
        raise WrongVersion(folder, document.get("version"), FORMAT_VERSION)
    try:
        manifest = Manifest.model_validate(document)
        expected = {INDEX: manifest.bytes[INDEX], CAMERAS: manifest.bytes[CAMERAS]} | manifest.layout.bytes()
        if PIXELS in manifest.bytes:
            expected[PIXELS] = manifest.layout.pixel_bytes
    except (ValidationError, KeyError) as error:
        raise NotAStore(folder, f"{MANIFEST} is not as this version writes it ({error})") from error
    for name, size in expected.items():
        found = file_size(folder / name)
        if found is None and name == PLATES:
            raise MissingPlate(
                folder, found=f"no {PLATES}", expected=f"{manifest.layout.plates} plates in it"
            )
        if found != size:
            raise TruncatedFile(folder / name, found, size)
    return manifest


def read_index(folder: Path, manifest: Manifest) -> dict[str, NDArray[np.generic]]:
    """Every column of the index as an array of one entry a frame. Raises BrokenIndex, MissingPlate."""
    try:
        table = pq.read_table(folder / INDEX)
        found = from_table(table)
        columns = {name: _typed(found[name], COLUMNS[name]) for name in COLUMNS.names or ()}
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise BrokenIndex(folder / INDEX, found=str(error), expected="the index's columns") from error
    if table.num_rows != manifest.layout.count:
        raise BrokenIndex(
            folder / INDEX, found=f"{table.num_rows:,} rows", expected=f"{manifest.layout.count:,} rows"
        )
    check_references(folder, columns["plate"], columns["camera"], manifest)  # type: ignore[arg-type]
    return columns


def read_cameras(folder: Path, manifest: Manifest) -> tuple[Camera, ...]:
    """The calibrated cameras. Raises BrokenIndex."""
    try:
        cameras = tuple(Camera.from_json(value) for value in read_json(folder / CAMERAS))
    except (OSError, ValueError, KeyError, TypeError, InputError) as error:
        raise BrokenIndex(folder / CAMERAS, found=str(error), expected="calibrated cameras") from error
    if len(cameras) != manifest.cameras:
        raise BrokenIndex(
            folder / CAMERAS, found=f"{len(cameras)} cameras", expected=f"{manifest.cameras} cameras"
        )
    return cameras


def _typed(column: NDArray[np.generic], kind: np.dtype[np.void]) -> NDArray[np.generic]:
    """The column, its names as long as they are and its numbers of the contract's type."""
    if column.shape[1:] != kind.shape or (column.dtype.kind == "U") != (kind.kind == "U"):
        raise ValueError(f"{column.dtype} entries of shape {column.shape[1:]}, not {kind.base} {kind.shape}")
    return column if kind.kind == "U" else column.astype(kind.base, copy=False)


__all__ = ["PackedStore", "PackedStoreWriter"]

Indices = NDArray[np.integer] | Sequence[int] | slice


class PackedStore:
    """A data set of N frames. Get one with `PackedStore.open`.

    frames: uint8 [N, H, W, 3]; plates: uint8 [P, H, W, 3]; poses: float32 [N, 17, 3] mm, root-relative,
    camera axes; all read-only and read from the disk when touched. pixels: float32 [N, 17, 2], where the
    joints are in the frames, NaN where unknown; None for a store that does not tell.
    subject, action, outfit: names [N]; sequence, camera, plate: int64 [N]; frame: int32 [N];
    time: float64 [N] seconds; box: float32 [N, 4]. size: (H, W). fps; seed; source; meta.
    """

    def __init__(
        self,
        path: Path,
        manifest: Manifest,
        columns: Mapping[str, NDArray[np.generic]],
        cameras: tuple[Camera, ...],
    ) -> None:
        layout = manifest.layout
        n, h, w = layout.count, layout.height, layout.width
        self.path = path
        self.size = (h, w)
        self.fps, self.seed, self.source = manifest.fps, manifest.seed, manifest.source
        self.meta: Mapping[str, object] = manifest.meta
        self.cameras = cameras
        self.frames: NDArray[np.uint8] = np.memmap(path / FRAMES, np.uint8, "r", shape=(n, h, w, 3))
        self.plates: NDArray[np.uint8] = np.memmap(
            path / PLATES, np.uint8, "r", shape=(layout.plates, h, w, 3)
        )
        self.poses: NDArray[np.float32] = np.memmap(path / POSES, "<f4", "r", shape=(n, JOINTS, 3))
        self.pixels: NDArray[np.float32] | None = (
            np.memmap(path / PIXELS, "<f4", "r", shape=(n, JOINTS, 2)) if PIXELS in manifest.bytes else None
        )
        self._silhouettes = np.memmap(path / SILHOUETTES, np.uint8, "r", shape=(n, layout.silhouette_bytes))
        self._bytes = sum(manifest.bytes.values())
        self.subject: NDArray[np.str_] = columns["subject"]  # type: ignore[assignment]
        self.action: NDArray[np.str_] = columns["action"]  # type: ignore[assignment]
        self.outfit: NDArray[np.str_] = columns["outfit"]  # type: ignore[assignment]
        self.sequence: NDArray[np.int64] = columns["sequence"]  # type: ignore[assignment]
        self.camera: NDArray[np.int64] = columns["camera"]  # type: ignore[assignment]
        self.plate: NDArray[np.int64] = columns["plate"]  # type: ignore[assignment]
        self.frame: NDArray[np.int32] = columns["frame"]  # type: ignore[assignment]
        self.time: NDArray[np.float64] = columns["time"]  # type: ignore[assignment]
        self.box: NDArray[np.float32] = columns["box"]  # type: ignore[assignment]

    @classmethod
    def open(cls, path: Path) -> "PackedStore":
        """Raises NotAStore, WrongVersion, TruncatedFile, MissingPlate, BrokenIndex: see `store_errors`."""
        path = Path(path)
        manifest = read_manifest(path)
        return cls(path, manifest, read_index(path, manifest), read_cameras(path, manifest))

    def __len__(self) -> int:
        return len(self.frames)

    def frames_u8_at(self, idx: Indices) -> NDArray[np.uint8]:
        """A copy of some frames, uint8 [n, H, W, 3]."""
        return np.array(self.frames[idx], subok=False)

    def frames_at(self, idx: Indices, out: "Tensor | None" = None) -> "Tensor":
        """Some frames, float32 [n, 3, H, W] in [0, 1], RGB.

        out: a tensor of that shape, of any memory layout, to be filled and returned. A loop that passes
        the same one again is several times faster: most of the time goes into the new memory's pages.
        """
        return as_images(self.frames_u8_at(idx), out)

    def plates_tensor(self) -> "Tensor":
        """All background plates, float32 [P, 3, H, W] in [0, 1]."""
        return as_images(np.array(self.plates, subok=False))

    def silhouettes(self, idx: Indices) -> NDArray[np.bool_]:
        """Some silhouettes, bool [n, H, W]: where the person is."""
        h, w = self.size
        bits = np.unpackbits(self._silhouettes[idx], axis=1, count=h * w)
        return bits.view(np.bool_).reshape(-1, h, w)

    def select(
        self,
        subjects: Sequence[str] | None = None,
        actions: Sequence[str] | None = None,
        cameras: Sequence[str] | None = None,
    ) -> NDArray[np.int64]:
        """Numbers of the frames of these subjects, actions and cameras (all by name), ascending;
        None means all. Raises InputError for a name that the store does not hold."""
        chosen = np.ones(len(self), dtype=bool)
        names = np.array([camera.name for camera in self.cameras])[self.camera]
        for what, column, wanted in (
            ("subject", self.subject, subjects),
            ("action", self.action, actions),
            ("camera", names, cameras),
        ):
            if wanted is None:
                continue
            known = np.unique(column).tolist()
            unknown = [name for name in wanted if name not in known]
            if unknown:
                raise InputError(
                    found=f"{what} {', '.join(unknown)}, of which {self.path} holds no frame",
                    expected=f"one or more of {', '.join(known)}",
                    remedy="see dpa-engine data info for what the store holds",
                )
            chosen &= np.isin(column, np.array(wanted, dtype=np.str_))
        return np.flatnonzero(chosen)

    def info(self) -> dict[str, object]:
        """frames (images in all), subjects, actions, cameras (names), size [H, W], fps, seed, bytes."""
        return {
            "frames": len(self),
            "subjects": np.unique(self.subject).tolist(),
            "actions": np.unique(self.action).tolist(),
            "cameras": [camera.name for camera in self.cameras],
            "size": list(self.size),
            "fps": self.fps,
            "seed": self.seed,
            "bytes": self._bytes,
        }


def as_images(frames: NDArray[np.uint8], out: "Tensor | None" = None) -> "Tensor":
    """uint8 [n, H, W, 3] → float32 [n, 3, H, W] in [0, 1], into `out` where one of that shape is given."""
    import torch  # here alone: a generator that only writes stores does without its 200 MB

    images = torch.from_numpy(frames).permute(0, 3, 1, 2)
    if out is None:
        out = torch.empty(images.shape)
    elif out.shape != images.shape:
        raise ValueError(f"out has shape {list(out.shape)}, the frames have {list(images.shape)}")
    return out.copy_(images).div_(255)
