"""One run: samples of a store through the attack into the shards of a run directory; and several step sizes
tried on the same samples."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dpa.engine.attack.algorithm import InitialPose, Progress, appearance_attack, attack_stream, ball_of
from dpa.engine.attack.appearance import AppearanceDistribution
from dpa.engine.attack.config import AttackConfig, AttackRunConfig
from dpa.engine.attack.evidence import gather_evidence, summarise_evidence
from dpa.engine.attack.loading import SAMPLES_BEYOND_THE_BATCH, PlateWindow, frame_batches
from dpa.engine.attack.natural import kept_appearance, natural_appearance
from dpa.engine.attack.resume import INPUTS, Kept, began_with, inputs_of, keep_whole_shards, require_same
from dpa.engine.attack.state import AttackResult, Status
from dpa.engine.attack.steps.choice import make_backend
from dpa.engine.attack.steps.compiled import GradientExporter
from dpa.engine.attack.summary import COLUMNS, RunFacts, finite_mean, summarise
from dpa.engine.attack.survival import survival
from dpa.engine.attack.writer import SAMPLES, ShardWriter, figures_of, read_samples, sample_columns
from dpa.engine.evaluation_set import samples_at
from dpa.engine.runs.directory import RESULTS, RunDirectory
from dpa.engine.runs.environment import devices, versions
from dpa.engine.runs.results import AttackResults, versioned
from dpa.models.data.store import PackedStore
from dpa.models.devices import device_name, is_gpu
from dpa.models.frameworks.base import DisentangledNetwork

__all__ = ["SAMPLES", "Networks", "device_in_words", "evenly", "run_attack"]


@dataclass(frozen=True)
class Networks:
    """Both on the same device, in eval mode."""

    generator: DisentangledNetwork
    target: DisentangledNetwork

    @property
    def device(self) -> torch.device:
        return next(self.target.parameters()).device


def run_attack(
    run: RunDirectory,
    networks: Networks,
    store: PackedStore,
    rows: NDArray[np.int64],
    config: AttackRunConfig,
    initial_pose: InitialPose | None = None,
    progress: Progress | None = None,
    exporter: GradientExporter | None = None,
    *,
    natural: PackedStore | None = None,
    witness: DisentangledNetwork | None = None,
) -> dict[str, object]:
    """Attacks the frames `rows` of `store`, writes shards and results.json, returns the results (see
    `summarise`). Memory holds the samples under attack and one shard, however many frames there are.

    Samples that the run already holds in whole shards are not attacked again, so a stopped run is gone on
    with by calling this once more; it ends with the same results. initial_pose, exporter: as in
    `attack_stream`. natural: frames that show what appearances are natural, by default those of the store's
    clips that are not attacked; witness: see `evidence`. Raises TooFewCodes where a budget is asked for and
    cannot be measured, OtherInputs where weights, data,
    versions, device, its threads or step back-end are not those that the run began with, RunBusy, DiskFull,
    OutOfMemory.
    """
    with run.holding():
        generator, device = networks.generator, networks.device
        bounded = config.budget is not None
        real = kept_appearance(run, generator, store, rows, natural, device, needed=bounded)
        backend = _attack_missing(run, networks, store, rows, config, initial_pose, progress, exporter, real)
        ball = ball_of(config, real, next(generator.parameters()))
        evidence = gather_evidence(
            run,
            store,
            generator,
            networks.target,
            device,
            real=real,
            ball=ball,
            witness=witness,
            seed=config.seed,
        )
        samples = read_samples(run, COLUMNS)
        facts = RunFacts(
            target=config.target,
            generator=config.generator,
            config=config,
            backend=backend,
            seconds=float(samples["elapsed_s"].max()),
            device=device_in_words(networks.device),
            versions=versions(),
            blind=getattr(networks.target, "blind", False),
        )
        results = summarise(samples, facts) | summarise_evidence(
            samples,
            evidence,
            real=real,
            ball=ball,
            budget=config.budget,
            witness=config.witness,
            min_error_mm=config.min_error_mm,
        )
        results["survives"] = survival(run, networks.target, device, config.min_error_mm)
        results = versioned(AttackResults, results)
        run.write_json(RESULTS, results)
    return results


def _attack_missing(
    run: RunDirectory,
    networks: Networks,
    store: PackedStore,
    rows: NDArray[np.int64],
    config: AttackRunConfig,
    initial_pose: InitialPose | None,
    progress: Progress | None,
    exporter: GradientExporter | None,
    real: AppearanceDistribution | None,
) -> str:
    """Attacks what the run does not hold yet. Returns the name of the step back-end."""
    began = began_with(run)
    if began is not None:  # with the back-end that was picked then
        config = config.model_copy(update={"backend": began.get("backend", config.backend)})
    generator, target = networks.generator, networks.target
    config = config.model_copy(update={"batch": min(config.batch, len(rows))})  # what `auto` tries, too
    window = PlateWindow(store, config.batch + SAMPLES_BEYOND_THE_BATCH, networks.device)
    backend = make_backend(generator, target, window.plates, config, exporter)
    now = inputs_of(target, generator, store, rows, config, backend.name)
    if began is None:
        run.write_json(INPUTS, now)
    else:
        require_same(run, began, now)
    run.reopen()
    kept = keep_whole_shards(run)
    counted = _counting_on(kept, progress)
    counted(0, 0)
    missing = rows[~np.isin(rows, kept.index)]
    if not len(missing):
        return backend.name
    with ShardWriter(
        run,
        store,
        pictured=evenly(rows, config.pictures),
        numbers=kept.free_numbers(),
        seconds_before=kept.seconds,
    ) as writer:

        def take_over(result: AttackResult, numbers: list[int], _: list[Status]) -> None:
            window.release(numbers)
            writer(result, numbers)

        attack_stream(
            generator,
            target,
            map(window.admit, frame_batches(store, missing, networks.device)),
            window.plates,
            config,
            take_over,
            initial_pose=initial_pose,
            progress=counted,
            backend=backend,
            real=real,
        )
    return backend.name


def _counting_on(kept: Kept, progress: Progress | None) -> Progress:
    """Progress of the whole run, from that of the part that runs now."""

    def report(finished: int, succeeded: int) -> None:
        if progress is not None:
            progress(len(kept.index) + finished, kept.succeeded + succeeded)

    return report


def evenly(rows: NDArray[np.generic], count: int) -> list[int]:
    """At most `count` ≥ 1 of the rows, spread evenly over them."""
    places = np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)
    chosen: list[int] = rows[places].tolist()
    return chosen


def device_in_words(device: torch.device) -> str:
    """The device as results name it: its model and, on a CPU, its threads."""
    if is_gpu(device):
        return device_name(device)
    return f"{devices()['cpu']}, {torch.get_num_threads()} threads"


def sweep_step_sizes(
    networks: Networks,
    store: PackedStore,
    rows: NDArray[np.int64],
    config: AttackConfig,
    step_sizes: Sequence[float],
    natural: PackedStore | None = None,
) -> list[dict[str, float | None]]:
    """The attack on the frames `rows` at each step size, which all must fit into memory. natural: see
    `run_attack`.

    Each entry: step_size, success_rate, p50 and p90 iterations, final_mm, psnr_db of the frame and
    box_psnr_db inside the person's box, samples_per_s.
    """
    some = samples_at(store, rows, networks.device)
    real = None
    if config.budget is not None:
        real = natural_appearance(networks.generator, store, rows, natural, networks.device)
    entries: list[dict[str, float | None]] = []
    for step_size in step_sizes:
        tried = config.having(protocol=None, optimiser=config.optimiser, step_size=step_size)
        started = time.perf_counter()
        result = appearance_attack(
            networks.generator,
            networks.target,
            some.frames,
            some.plates,
            some.plate_index,
            tried,
            real=real,
        )
        seconds = time.perf_counter() - started
        columns = sample_columns(rows.tolist(), figures_of(result), store)
        iterations = columns["iterations"].astype(float)
        entries.append(
            {
                "step_size": step_size,
                "success_rate": finite_mean(columns["success"]),
                "p50": float(np.percentile(iterations, 50)),
                "p90": float(np.percentile(iterations, 90)),
                "final_mm": finite_mean(columns["final_error_mm"]),
                "psnr_db": finite_mean(columns["psnr_db"]),
                "box_psnr_db": finite_mean(columns["box_psnr_db"]),
                "samples_per_s": len(rows) / seconds,
            }
        )
    return entries
