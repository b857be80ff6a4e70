"""What a run has stored of its samples, and from where a stopped one goes on."""

import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpa.engine.attack.samples import Column
from dpa.engine.runs.directory import RunDirectory
from dpa.engine.runs.errors import BadShard

SAMPLES, PICTURES = "samples.parquet", "adversarial"

log = logging.getLogger(__name__)


def read_samples(run: RunDirectory, columns: Sequence[str] | None = None) -> dict[str, Column]:
    """The table of samples in the order of their `index`, whatever order they ended in, so that a mean
    over it is the same number however often the run was stopped. columns: all by default; each of a
    sample's long ones (codes, poses, trace) costs memory. Raises BadShard."""
    wanted = None if columns is None else list(dict.fromkeys(("index", *columns)))
    samples = run.read_shards(SAMPLES, wanted)
    order = samples["index"].argsort(kind="stable")
    return {name: column[order] for name, column in samples.items()}


@dataclass(frozen=True)
class Kept:
    """What an earlier part of the run finished. index: int64 [k], its samples; succeeded: how many of them;
    seconds: time that they took; shards: the numbers that their shards have."""

    index: NDArray[np.int64]
    succeeded: int
    seconds: float
    shards: frozenset[int]

    def free_numbers(self) -> Iterator[int]:
        """Numbers for the shards to come, gaps first: read together they must have no gap."""
        return itertools.filterfalse(self.shards.__contains__, itertools.count())


def keep_whole_shards(run: RunDirectory) -> Kept:
    """Removes what was half written, shards that cannot be read and pictures without their samples, and
    says what is left. A new run has nothing yet."""
    run.remove_partial_files()
    parts: dict[int, dict[str, Column]] = {}
    for number in run.shard_numbers(SAMPLES):
        try:
            run.read_shard(PICTURES, number, ["index"])
            part = run.read_shard(SAMPLES, number)
        except BadShard as error:
            log.warning("discarded, its samples are attacked again: %s", str(error).splitlines()[0])
            run.discard_shard(SAMPLES, number)
        else:
            parts[number] = {name: part[name] for name in ("index", "success", "elapsed_s")}
    for number in set(run.shard_numbers(PICTURES)) - set(parts):
        run.discard_shard(PICTURES, number)
    if not parts:
        return Kept(np.empty(0, dtype=np.int64), 0, 0.0, frozenset())
    return Kept(
        index=np.concatenate([part["index"] for part in parts.values()]).astype(np.int64),
        succeeded=sum(int(part["success"].sum()) for part in parts.values()),
        seconds=max(float(part["elapsed_s"].max()) for part in parts.values()),
        shards=frozenset(parts),
    )
