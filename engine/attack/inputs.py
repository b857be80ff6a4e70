"""What an attack began with, so that it goes on with nothing else: weights, frames, versions, threads."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dpa.engine.attack.config import AttackRunConfig
from dpa.engine.attack.stored import SAMPLES
from dpa.engine.runs.directory import RunDirectory
from dpa.engine.runs.environment import versions
from dpa.engine.runs.errors import NotARun, OtherInputs
from dpa.models.data.store import PackedStore
from dpa.models.data.store_format import CAMERAS, INDEX, MANIFEST
from dpa.models.frameworks.base import DisentangledNetwork

INPUTS = "inputs.json"

FRAMES_READ = 64
"""Frames whose bytes are compared, spread evenly over the samples: hashing all would read the data twice."""

IN_WORDS = {
    "target": "the SHA-256 of the target's weights",
    "generator": "the SHA-256 of the generator's weights",
    "data": "the SHA-256 of the data set (index, cameras, some frames)",
    "samples": "the SHA-256 of the numbers of the frames to attack",
    "device": "the kind of device",
    "threads": "the number of threads (OMP_NUM_THREADS)",
    "backend": "the step back-end",
    "versions": "the set of versions",
}


def inputs_of(
    target: DisentangledNetwork,
    generator: DisentangledNetwork,
    store: PackedStore,
    rows: NDArray[np.int64],
    config: AttackRunConfig,
    backend: str,
) -> dict[str, object]:
    """Everything that a sample's result depends on beside the settings; plain values for JSON."""
    device = next(target.parameters()).device
    return {
        "target": weights_sha256(target, config.target),
        "generator": weights_sha256(generator, config.generator),
        "data": data_sha256(store, rows),
        "samples": hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest(),
        "device": device.type,
        "threads": torch.get_num_threads() if device.type == "cpu" else None,  # they split sums
        "backend": backend,
        "versions": versions(),
    }


def began_with(run: RunDirectory) -> dict[str, object] | None:
    """What the run began with; None for one that has not got that far. Raises NotARun."""
    if not (run.path / INPUTS).is_file():
        if run.shard_numbers(SAMPLES):
            raise NotARun(run.path, f"samples, and no {INPUTS} that says what they were made with")
        return None
    found = run.read_json(INPUTS)
    return dict(found) if isinstance(found, dict) else {}


def require_same(run: RunDirectory, began: Mapping[str, object], now: Mapping[str, object]) -> None:
    """Raises OtherInputs for the first difference, and names it."""
    for key, words in IN_WORDS.items():
        one, other = began.get(key), now[key]
        if one == other:
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            name = next(name for name in sorted(one | other) if one.get(name) != other.get(name))
            raise OtherInputs(run.path, f"the version of {name}", one.get(name), other.get(name))
        raise OtherInputs(run.path, words, one, other)


def weights_sha256(network: DisentangledNetwork, name: str) -> str:
    """SHA-256 over configuration and the bytes of every parameter and buffer; over the file where `name`
    is one, as compiled programs are."""
    digest = hashlib.sha256(f"{type(network).__qualname__} {network.framework}".encode())
    digest.update(network.config.model_dump_json().encode())
    for key, value in sorted(network.state_dict().items()):
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    if Path(name).is_file():
        digest.update(Path(name).read_bytes())
    return digest.hexdigest()


def data_sha256(store: PackedStore, rows: NDArray[np.int64]) -> str:
    """SHA-256 over the store's manifest, index, cameras and FRAMES_READ of the frames `rows`."""
    digest = hashlib.sha256()
    for name in (MANIFEST, INDEX, CAMERAS):
        digest.update((store.path / name).read_bytes())
    some = np.linspace(0, len(rows) - 1, min(FRAMES_READ, len(rows))).astype(int)
    digest.update(store.frames_u8_at(rows[some]).tobytes())
    return digest.hexdigest()
