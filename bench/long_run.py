"""One attack as a process of its own: how far it is, how much memory it holds, its sudden end; and two runs
of the same attack, sample by sample."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dpa.bench.config import LongRunBench
from dpa.bench.timing import circumstances
from dpa.engine.attack.resume import began_with
from dpa.engine.attack.writer import read_samples
from dpa.engine.evaluation_set import FPS, SEED, SUBJECTS
from dpa.engine.runs.directory import RESULTS, RunDirectory
from dpa.models.data.store import PackedStore
from dpa.models.data.synthetic.generate import ACTIONS, SynthConfig, generate
from dpa.models.errors import DpaError
from dpa.models.trust import trusts_code

START = "from dpa.engine.cli import main; main()"
POLL_SECONDS = 0.2


class AttackFailed(DpaError):
    """The attack ended by itself with an error."""


@dataclass
class Watched:
    """What was seen of a process. memory: (samples on the disk, resident MB) as it went on; killed_at:
    samples on the disk when it was killed, None where it ended by itself."""

    seconds: float = 0.0
    killed_at: int | None = None
    memory: list[tuple[int, float]] = field(default_factory=list)

    def peak_mb(self, until: float = float("inf")) -> float | None:
        """Largest memory while at most `until` samples were on the disk; None where the system does not
        tell."""
        return max((mb for count, mb in self.memory if count <= until), default=None)


def watch(arguments: Sequence[str], run: Path, kill_at: int | None = None) -> Watched:
    """Runs `dpa-engine attack` with some arguments to its end, or kills it with SIGKILL when `kill_at`
    samples are on the disk in `run`, one of them at least by this process. Its progress goes to this
    process's stderr. Raises AttackFailed."""
    seen, began = Watched(), time.perf_counter()
    command = [sys.executable, "-c", START, "attack", *arguments]
    before = stored(run)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            count = stored(run)
            if (resident := resident_mb(process.pid)) is not None:
                seen.memory.append((count, resident))
            if kill_at is not None and count >= max(kill_at, before + 1):
                process.send_signal(signal.SIGKILL)
                process.wait()
                seen.killed_at = stored(run)
                break
            time.sleep(POLL_SECONDS)
    seen.seconds = time.perf_counter() - began
    if seen.killed_at is None and process.returncode:
        raise AttackFailed(f"the attack ended with exit code {process.returncode}: {' '.join(arguments)}")
    return seen


def stored(run: Path) -> int:
    """Samples in the shards of a run, from their footers."""
    count = 0
    for file in (run / "samples.parquet").glob("0*.parquet"):
        try:
            count += pq.read_metadata(file).num_rows
        except (OSError, pa.ArrowException):  # just being replaced
            continue
    return count


def resident_mb(process: int) -> float | None:
    """Memory that a process holds now, in MB; None where /proc is not there or the process has gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return None
    sizes = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:")]
    return sizes[0] if sizes else None


SPEED = ("throughput",)
"""Of the results, what may differ; and of the samples:"""
TIMES = ("elapsed_s",)


def compare_runs(one: Path, other: Path) -> dict[str, Any]:
    """equal: whether results.json (but for the speed) and every column of every sample are the same.
    results_equal; samples: in the first; samples_unequal: how many differ in any column; columns_unequal;
    largest_error_difference_mm: of the final errors. Raises BadShard, NotARun."""
    runs = [RunDirectory.open(path) for path in (one, other)]
    results = [{k: v for k, v in _results(run).items() if k not in SPEED} for run in runs]
    first, second = (read_samples(run) for run in runs)
    same_samples = np.array_equal(first["index"], second["index"])
    unequal: dict[str, np.ndarray[Any, Any]] = {}
    if same_samples:
        for name in sorted(set(first) - set(TIMES)):
            differs = _unequal(first[name], second[name])
            if differs.any():
                unequal[name] = differs
    errors = [table["final_error_mm"].astype(float) for table in (first, second)]
    return {
        "equal": same_samples and not unequal and results[0] == results[1],
        "results_equal": results[0] == results[1],
        "samples": len(first["index"]),
        "samples_unequal": int(np.any([*unequal.values()], axis=0).sum()) if unequal else 0,
        "columns_unequal": list(unequal),
        "largest_error_difference_mm": (
            float(np.nanmax(np.abs(errors[0] - errors[1]), initial=0.0)) if same_samples else None
        ),
    }


def _results(run: RunDirectory) -> dict[str, Any]:
    found = run.read_json(RESULTS)
    return found if isinstance(found, dict) else {}


def _unequal(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Which rows differ; NaN equals NaN. [n] bool."""
    differs = one != other
    if one.dtype.kind == "f":
        differs &= ~(np.isnan(one) & np.isnan(other))
    rows: np.ndarray[Any, Any] = differs.reshape(len(one), -1).any(axis=1)
    return rows


def bench_long_run(
    folder: Path, settings: LongRunBench, progress: Callable[[str], None] = lambda words: None
) -> dict[str, Any]:
    """The document that `bench long-run` prints. progress: called with what begins."""
    today = circumstances()
    told = [f"--source {settings.source}"] if settings.source else []
    source = settings.source or _data(folder / "data", settings.samples)
    samples, kills = min(settings.samples, len(PackedStore.open(source))), settings.kills
    given = [str(source), "--target", settings.target, "--samples", str(samples)]
    trust = ["--trust-code"] if trusts_code() else []
    given += ["--max-steps", str(settings.max_steps), "--batch", str(settings.batch), *trust]
    chosen = ["--backend", settings.backend] if settings.backend else []
    progress("the run that is left alone")
    whole = watch([*given, *chosen, "--out", str(folder / "whole")], folder / "whole")
    began = began_with(RunDirectory.open(folder / "whole")) or {}
    given += ["--backend", str(began["backend"])]  # `auto` might pick another one this time
    run, parts = folder / "killed", []
    for number in range(kills + 1):
        progress(f"the run that is killed, part {number + 1} of {kills + 1}")
        again = ["--resume", str(run), "--target", settings.target, *trust]
        arguments = again if number else [*given, "--out", str(run)]
        kill_at = samples * (number + 1) // (kills + 1) if number < kills else None
        parts.append(watch(arguments, run, kill_at))
    results: Any = RunDirectory.open(folder / "whole").read_json(RESULTS)
    told += [f"--target {settings.target} --samples {samples} --max-steps {settings.max_steps}"]
    told += [f"--batch {settings.batch}", *chosen, f"--kills {kills}"]
    command = f"dpa-engine bench long-run {folder} {' '.join(told)}"
    ends = {"device": results["device"], "command": command}
    return compare_runs(folder / "whole", run) | _measured(whole, parts, samples) | today | ends


def _data(path: Path, samples: int) -> Path:
    """A synthetic set of at least that many frames, made where it is not there."""
    cameras = 4
    if not path.is_dir():
        frames = -(-samples // (len(SUBJECTS) * len(ACTIONS) * cameras))
        config = SynthConfig(
            subjects=SUBJECTS,
            clips=1,
            frames=frames,
            fps=FPS,
            seed=SEED + 1,
            workers=min(os.cpu_count() or 1, 8),
        )
        generate(config, path)
    return path


def _measured(whole: Watched, parts: list[Watched], samples: int) -> dict[str, Any]:
    """Plain numbers: seconds of each process with its start, MB, samples on the disk at each kill."""
    return {
        "seconds": whole.seconds,
        "seconds_killed_and_resumed": [part.seconds for part in parts],
        "killed_at": [part.killed_at for part in parts if part.killed_at is not None],
        "peak_mb_until_a_tenth": whole.peak_mb(until=samples / 10),
        "peak_mb": whole.peak_mb(),
        "peak_mb_killed_and_resumed": [part.peak_mb() for part in parts],
    }
