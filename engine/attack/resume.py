"""How a run that was stopped goes on: with its own settings, on what it began with, from what it stored."""

import hashlib
import itertools
import logging
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dpa.engine.attack.config import AttackRunConfig
from dpa.engine.attack.writer import PICTURES, SAMPLES, Column
from dpa.engine.runs.directory import CONFIG, RunDirectory
from dpa.engine.runs.environment import versions
from dpa.engine.runs.errors import BadShard, NotARun, OtherInputs
from dpa.models.config import load_config
from dpa.models.data.store import PackedStore
from dpa.models.data.store_format import CAMERAS, INDEX, MANIFEST
from dpa.models.errors import InputError
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.foreign import runs_code
from dpa.models.trust import require_named


class OtherSetting(InputError):
    """An option that contradicts the run that is to be gone on with."""

    def __init__(self, path: Path, key: str, began: object, now: object) -> None:
        super().__init__(
            found=f"{path}: {key} = {now!r} is asked for",
            expected=f"{began!r}, as when the run began",
            remedy="leave the option out, or begin a new run",
        )


class OptionWithResume(InputError):
    """An option that makes no sense for a run that has begun."""

    def __init__(self, option: str) -> None:
        super().__init__(
            found=f"{option} together with --resume",
            expected="--resume RUN alone: everything else stands in the run's config.resolved.yaml",
            remedy=f"leave out {option}, or begin a new run",
        )


def resumed_settings(
    run: RunDirectory, flags: Mapping[str, object], overrides: Sequence[str]
) -> AttackRunConfig:
    """The settings in the run's config.resolved.yaml. flags, overrides: as for `load_config`; they may
    repeat a setting, not change it; and a network that runs code must be named by them, since a run may come
    from anywhere. Raises OtherSetting, UnnamedCode, and what `load_config` raises for a run of another
    command."""
    told = load_config(AttackRunConfig, run.path / CONFIG)
    asked = load_config(AttackRunConfig, run.path / CONFIG, overrides, flags)
    for key in AttackRunConfig.model_fields:
        one, other = getattr(told, key), getattr(asked, key)
        if one != other:
            raise OtherSetting(run.path, key, one, other)
    named = load_config(AttackRunConfig, None, overrides, flags)
    networks = {"target": told.target, "generator": told.generator, "witness": told.witness or ""}
    running = {role: spec for role, spec in networks.items() if runs_code(spec)}
    require_named(run.path, running, {role: getattr(named, role) for role in networks})
    return told


@contextmanager
def way_on(run: RunDirectory) -> Iterator[None]:
    """Adds to what stops the run how to go on with it; to bad input, which stops it again, nothing."""
    try:
        yield
    except InputError:
        raise
    except BaseException as error:
        error.add_note(f"to go on: dpa-engine attack --resume {shlex.quote(str(run.path))}")
        raise


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
    """The network's fingerprint; with the file, where `name` is one, as compiled programs are."""
    own = network.fingerprint()
    if not Path(name).is_file():
        return own
    return hashlib.sha256(own.encode() + Path(name).read_bytes()).hexdigest()


def data_sha256(store: PackedStore, rows: NDArray[np.int64]) -> str:
    """SHA-256 over the store's manifest, index, cameras and FRAMES_READ of the frames `rows`."""
    digest = hashlib.sha256()
    for name in (MANIFEST, INDEX, CAMERAS):
        digest.update((store.path / name).read_bytes())
    some = np.linspace(0, len(rows) - 1, min(FRAMES_READ, len(rows))).astype(int)
    digest.update(store.frames_u8_at(rows[some]).tobytes())
    return digest.hexdigest()


log = logging.getLogger(__name__)


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
    """Removes what was half written and pictures without their samples, sets damaged shards aside, and says
    what is left. A new run has nothing yet."""
    run.remove_partial_files()
    parts: dict[int, dict[str, Column]] = {}
    for number in run.shard_numbers(SAMPLES):
        try:
            run.read_shard(PICTURES, number)  # all of it: damage among the pictures shows in no other column
            part = run.read_shard(SAMPLES, number)
        except BadShard as error:
            log.warning("set aside, its samples are attacked again: %s", str(error).splitlines()[0])
            run.set_aside(SAMPLES, number)
            run.set_aside(PICTURES, number)
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
