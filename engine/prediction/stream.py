"""The loop of `predict`: frames in, batches through a pose session, poses out as JSON lines, CSV or Parquet,
batch by batch, and bad files set aside. A file appears when it is complete."""

import csv
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from dpa.engine.prediction.sources import Frame, Unreadable
from dpa.engine.sessions.protocol import Session
from dpa.models.artefacts import csv_of, json_lines_of, require_our_file
from dpa.models.atomic import replacing, write_text
from dpa.models.data.contract import JOINT_NAMES
from dpa.models.errors import InputError
from dpa.models.finite import finite_rows


class UnknownFormat(InputError):
    """An output file whose suffix names no format."""


@dataclass(frozen=True)
class Batch:
    """sources, indices: which frames; pixels: uint8 [n, H, W, 3]; pose: [n, 17, 3] mm, root-relative,
    camera axes; box: [n, 4] θ."""

    sources: list[str]
    indices: list[int]
    pixels: NDArray[np.uint8]
    pose: NDArray[np.float32]
    box: NDArray[np.float32]


Write = Callable[[Batch], None]


@contextmanager
def open_writer(out: Path) -> Iterator[Write]:
    """A function that appends batches to `out`, in the format of its suffix (.jsonl, .csv, .parquet).

    The file takes its name when the block ends without an error. Raises UnknownFormat, NotOurs where it
    would take the place of a file that holds no predictions.
    """
    openers = {".jsonl": _jsonl, ".csv": _csv, ".parquet": _parquet}
    if out.suffix not in openers:
        raise UnknownFormat(
            f"output {out.name!r}", f"a name that ends in {', '.join(openers)}", "rename the output"
        )
    require_our_file(out, "predictions", OURS[out.suffix])
    with replacing(out) as temporary, openers[out.suffix](temporary) as write:
        yield write


def jsonl_writer(file: TextIO) -> Write:
    """A writer of one JSON object a frame: source, index, pose_mm [17][3], box [4]."""

    def write(batch: Batch) -> None:
        # three decimals are a micrometre of pose; more digits are only noise and bytes
        rows = zip(batch.sources, batch.indices, _rounded(batch.pose, 3), _rounded(batch.box, 6), strict=True)
        for source, index, pose, box in rows:
            line = {"source": source, "index": index, "pose_mm": pose, "box": box}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")

    return write


def _rounded(values: NDArray[np.float32], digits: int) -> list[Any]:
    rounded: list[Any] = np.round(values.astype(np.float64), digits).tolist()
    return rounded


@contextmanager
def _jsonl(path: Path) -> Iterator[Write]:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        yield jsonl_writer(file)


@contextmanager
def _csv(path: Path) -> Iterator[Write]:
    """Columns: source, index, then JOINT_x, JOINT_y, JOINT_z in mm, then sx, sy, tx, ty."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        joints = [f"{name}_{axis}" for name in JOINT_NAMES for axis in "xyz"]
        table.writerow(["source", "index", *joints, "sx", "sy", "tx", "ty"])

        def write(batch: Batch) -> None:
            poses = _rounded(batch.pose.reshape(len(batch.pose), -1), 3)
            boxes = _rounded(batch.box, 6)
            for source, index, pose, box in zip(batch.sources, batch.indices, poses, boxes, strict=True):
                table.writerow([source, index, *pose, *box])

        yield write


@contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    """Columns: source, index, pose_mm (51 float32: joint by joint, x y z), box (4 float32)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    numbers = {"pose_mm": 3 * len(JOINT_NAMES), "box": 4}
    fields = [pa.field("source", pa.string()), pa.field("index", pa.int64())]
    fields += [pa.field(name, pa.list_(pa.float32(), count)) for name, count in numbers.items()]
    schema = pa.schema(fields)
    with pq.ParquetWriter(path, schema) as table:

        def write(batch: Batch) -> None:
            columns = [pa.array(batch.sources, pa.string()), pa.array(batch.indices, pa.int64())]
            for values, count in ((batch.pose, numbers["pose_mm"]), (batch.box, numbers["box"])):
                flat = pa.array(np.ascontiguousarray(values, dtype=np.float32).reshape(-1))
                columns.append(pa.FixedSizeListArray.from_arrays(flat, count))
            table.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))

        yield write


def _parquet_of_ours(path: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return {"source", "index", "pose_mm", "box"} <= set(pq.read_schema(path).names)
    except pa.ArrowException:
        return False


OURS: dict[str, Callable[[Path], bool]] = {
    ".jsonl": lambda path: json_lines_of(path, ("source", "index", "pose_mm", "box")),
    ".csv": lambda path: csv_of(path, ("source", "index", f"{JOINT_NAMES[0]}_x")),
    ".parquet": _parquet_of_ours,
}
"""By the ending of its name, whether a file holds predictions of an earlier call."""
NONFINITE = "the network gave out numbers that are not finite"


@dataclass
class Tally:
    """What a stream came to. nonfinite: frames for which the network gave out no finite numbers; no pose of
    theirs is written, they are among the quarantined. seconds: from the first frame asked for to the last
    pose written; first_mb, last_mb: resident memory of the process after the first and after the last
    batch, MB (None where the system does not tell), so that a long run shows by itself whether it stays
    flat."""

    predicted: int = 0
    nonfinite: int = 0
    quarantined: list[Unreadable] = field(default_factory=list)
    seconds: float = 0.0
    first_mb: float | None = None
    last_mb: float | None = None

    @property
    def images_per_s(self) -> float:
        """Poses written a second, reading and decoding included."""
        return self.predicted / self.seconds if self.seconds else 0.0


def predict_stream(
    session: Session,
    items: Iterable[Frame | Unreadable],
    write: Write,
    batch: int,
    progress: Callable[[Tally], None] | None = None,
) -> Tally:
    """Run a pose session (frames → pose, box) over a stream, `batch` frames at a time.

    Frames of another size start a new batch. An unreadable file is put on the tally and the rest goes
    on.
    """
    tally, held, started = Tally(), list[Frame](), time.perf_counter()

    def flush() -> None:
        if held:
            sound = _sound(_run(session, held), tally)
            if sound.sources:
                write(sound)
            tally.predicted += len(sound.sources)
            held.clear()
            tally.last_mb = resident_mb()
            tally.first_mb = tally.first_mb or tally.last_mb
        tally.seconds = time.perf_counter() - started
        if progress is not None:
            progress(tally)

    for item in items:
        if isinstance(item, Unreadable):
            tally.quarantined.append(item)
            continue
        if held and held[0].pixels.shape != item.pixels.shape:
            flush()
        held.append(item)
        if len(held) == batch:
            flush()
    flush()
    return tally


def _sound(batch: Batch, tally: Tally) -> Batch:
    """The frames whose pose and box are finite; the others are put on the tally."""
    rows = finite_rows(batch.pose, batch.box)
    if rows.all():
        return batch
    lost = np.flatnonzero(~rows).tolist()
    tally.nonfinite += len(lost)
    tally.quarantined += [Unreadable(batch.sources[row], batch.indices[row], NONFINITE) for row in lost]
    kept = np.flatnonzero(rows).tolist()
    sources, indices = [batch.sources[row] for row in kept], [batch.indices[row] for row in kept]
    return Batch(sources, indices, batch.pixels[rows], batch.pose[rows], batch.box[rows])


def resident_mb() -> float | None:
    """Resident memory of this process, MB; None where /proc does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _run(session: Session, held: list[Frame]) -> Batch:
    pixels = np.stack([frame.pixels for frame in held])
    frames = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32)
    frames /= 255
    made = session.run(frames)
    sources, indices = [frame.source for frame in held], [frame.index for frame in held]
    return Batch(sources, indices, pixels, made["pose"], made["box"])


def list_of(out: Path) -> Path:
    """Where the list of what could not be read lies: beside the output. Raises NotOurs where another file has
    that name."""
    path = out.with_name(out.name + ".unreadable.jsonl")
    require_our_file(path, "an earlier call's list", lambda one: json_lines_of(one, ("source", "reason")))
    return path


def keep_list(out: Path, unreadable: list[Unreadable]) -> Path | None:
    """Write OUT.unreadable.jsonl (source, index, reason) and return its path; remove an old one and
    return None when everything could be read."""
    path = list_of(out)
    if not unreadable:
        path.unlink(missing_ok=True)
        return None
    write_text(path, "".join(json.dumps(vars(bad), ensure_ascii=False) + "\n" for bad in unreadable))
    return path
