"""One run: samples of a store through the attack into the shards of a run directory."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dpa.engine.attack.algorithm import Progress, attack_stream
from dpa.engine.attack.config import AttackRunConfig
from dpa.engine.attack.preparation import FrameBatch, InitialPose
from dpa.engine.attack.result import AttackResult
from dpa.engine.attack.samples import Column, picture_columns, sample_columns
from dpa.engine.attack.scheduler import AT_ONCE
from dpa.engine.attack.summary import RunFacts, summarise
from dpa.engine.runs.directory import RESULTS, RunDirectory
from dpa.engine.runs.environment import devices, versions
from dpa.models.data.store import PackedStore
from dpa.models.frameworks.base import DisentangledNetwork

SAMPLES, PICTURES = "samples.parquet", "adversarial"
SHARD_ROWS = 256


@dataclass(frozen=True)
class Networks:
    """Both on the same device, in eval mode."""

    generator: DisentangledNetwork
    target: DisentangledNetwork

    @property
    def device(self) -> torch.device:
        return next(self.target.parameters()).device


class ShardWriter:
    """The sink of a run: gathers results and writes them in shards of about SHARD_ROWS samples.

    seconds: time spent here, measuring images and writing, which is no part of the attack.
    """

    def __init__(self, run: RunDirectory, store: PackedStore) -> None:
        self._run, self._store = run, store
        self._figures: list[dict[str, Column]] = []
        self._pictures: list[dict[str, Column]] = []
        self._written = 0
        self.seconds = 0.0

    def __call__(self, result: AttackResult) -> None:
        started = time.perf_counter()
        self._figures.append(sample_columns(result, self._store))
        self._pictures.append(picture_columns(result))
        if sum(len(part["index"]) for part in self._figures) >= SHARD_ROWS:
            self.flush()
        self.seconds += time.perf_counter() - started

    def flush(self) -> None:
        """Writes what is gathered, pictures first: a row of figures always has its pictures."""
        if self._figures:
            self._run.shard(PICTURES, self._written, joined(self._pictures))
            self._run.shard(SAMPLES, self._written, joined(self._figures))
            self._written += 1
            self._figures, self._pictures = [], []


def joined(parts: Sequence[dict[str, Column]]) -> dict[str, Column]:
    """Tables of the same columns, one under the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def run_attack(
    run: RunDirectory,
    networks: Networks,
    store: PackedStore,
    rows: NDArray[np.int64],
    config: AttackRunConfig,
    initial_pose: InitialPose | None = None,
    progress: Progress | None = None,
) -> dict[str, object]:
    """Attacks the frames `rows` of `store`, writes shards and results.json, returns the results (see
    `summarise`). Memory holds the samples under attack and one shard."""
    device = networks.device
    writer = ShardWriter(run, store)
    started = time.perf_counter()
    attack_stream(
        networks.generator,
        networks.target,
        frame_batches(store, rows, device),
        store.plates_tensor().to(device),
        config,
        writer,
        initial_pose=initial_pose,
        progress=progress,
    )
    seconds = time.perf_counter() - started - writer.seconds
    writer.flush()
    facts = RunFacts(
        target=config.target,
        generator=config.generator,
        config=config,
        seconds=seconds,
        device=device_in_words(device),
        versions=versions(),
    )
    results = summarise(run.read_shards(SAMPLES), facts)
    run.write_json(RESULTS, results)
    return results


def frame_batches(store: PackedStore, rows: NDArray[np.int64], device: torch.device) -> Iterator[FrameBatch]:
    """Frames of a store in small groups, read when they are asked for."""
    for start in range(0, len(rows), AT_ONCE):
        part = rows[start : start + AT_ONCE]
        yield FrameBatch(
            torch.from_numpy(part), store.frames_at(part), torch.from_numpy(store.plate[part])
        ).to(device)


def device_in_words(device: torch.device) -> str:
    """The device as results name it: its model and, on a CPU, its threads."""
    known = devices()
    if device.type == "cpu":
        return f"{known['cpu']}, {torch.get_num_threads()} threads"
    return known[f"{device.type}:{device.index or 0}"]
