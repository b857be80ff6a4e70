"""Tables that grow part by part while a run goes on: NAME/00000.parquet, NAME/00001.parquet, …"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dpa.engine.runs.errors import BadShard
from dpa.models.atomic import disk_full_named, replacing
from dpa.models.data.tables import from_table, to_table


def write_shard(folder: Path, index: int, table: Mapping[str, NDArray[np.generic]]) -> None:
    """Part number `index`, whole or absent. table: columns of one entry a row, of any shape. DiskFull."""
    with disk_full_named(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with replacing(_file(folder, index)) as temporary:
        pq.write_table(to_table(table), temporary, compression="zstd", write_page_checksum=True)


def shard_numbers(folder: Path) -> list[int]:
    """The parts that are there, ascending: where a stopped run can go on."""
    return sorted(int(file.stem) for file in folder.glob("*.parquet") if file.stem.isdecimal())


def read_shard(
    folder: Path, index: int, columns: Sequence[str] | None = None
) -> dict[str, NDArray[np.generic]]:
    """Part number `index`; only some columns, where they are named. Raises BadShard if it is absent, or what
    is read is damaged, by the checksum of every page."""
    file = _file(folder, index)
    try:
        wanted = None if columns is None else list(columns)
        return from_table(pq.read_table(file, columns=wanted, page_checksum_verification=True))
    except (pa.ArrowException, ValueError, OSError) as error:
        raise BadShard(file, str(error)) from error


def discard_shard(folder: Path, index: int) -> None:
    """Removes part number `index`, if it is there."""
    _file(folder, index).unlink(missing_ok=True)


def set_aside(folder: Path, index: int) -> None:
    """Puts a damaged part where nobody reads it, NNNNN.parquet.damaged, for whoever wants to know why."""
    file = _file(folder, index)
    if file.exists():
        file.replace(file.with_name(f"{file.name}.damaged"))


def read_shards(folder: Path, columns: Sequence[str] | None = None) -> dict[str, NDArray[np.generic]]:
    """All parts in order, put together; only some columns, where they are named. Raises BadShard if one is
    absent, damaged or unlike the others."""
    numbers = shard_numbers(folder)
    if not numbers or numbers != list(range(len(numbers))):
        raise BadShard(folder, f"parts {', '.join(map(str, numbers)) or 'none'}")
    parts = [read_shard(folder, number, columns) for number in numbers]
    shapes = [{name: column.shape[1:] for name, column in part.items()} for part in parts]
    for number in numbers:
        if shapes[number] != shapes[0]:
            raise BadShard(_file(folder, number), "columns unlike those of the first part")
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _file(folder: Path, index: int) -> Path:
    return folder / f"{index:05d}.parquet"
