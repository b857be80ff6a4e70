"""Poses as JSON lines, CSV or Parquet, batch by batch. A file appears when it is complete."""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from dpa.models.artefacts import csv_of, json_lines_of, require_our_file
from dpa.models.atomic import replacing
from dpa.models.data.contract import JOINT_NAMES
from dpa.models.errors import InputError


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
