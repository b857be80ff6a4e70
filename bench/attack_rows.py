"""The measurement behind `bench attack`: plain, our back-ends and peers attack the same samples, in turns."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dpa.bench.timing import measure
from dpa.engine.attack.judge import full_precision, similarity
from dpa.engine.attack.objective import Generator, Target, mpjpe
from dpa.engine.attack.summary import finite_mean
from dpa.engine.evaluation_set import default_evaluation_set, take_samples
from dpa.models.data.store import PackedStore
from dpa.models.devices import pick_device
from dpa.models.training.checkpoint import load_network

Row = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """A store and how samples are taken from it. network: its name."""

    store: PackedStore
    network: str
    samples: int
    seed: int


@dataclass(frozen=True)
class Task:
    """What all contenders attack. frames: [n, 3, H, W] in [0, 1]; plates: [P, 3, H, W]; plate_index: [n]
    int64; all on the networks' device, networks in eval mode. source: where the frames came from, for who
    attacks as the command does."""

    generator: Generator
    target: Target
    frames: Tensor
    plates: Tensor
    plate_index: Tensor
    source: "Source | None" = None

    def part(self, start: int, stop: int) -> "Task":
        """Some of the samples."""
        rows = slice(start, stop)
        return Task(self.generator, self.target, self.frames[rows], self.plates, self.plate_index[rows])

    def __len__(self) -> int:
        return len(self.frames)


def load_task(
    source: Path | None,
    target: str,
    samples: int,
    seed: int,
    device: str,
    progress: Callable[[int, int], None] | None = None,
) -> Task:
    """At most `samples` frames of a packed set (the evaluation set by default), attacked by the network's
    own pictures. progress: of the evaluation set, where it has to be made."""
    place = pick_device(device)
    network = load_network(target).to(place)
    store = PackedStore.open(source) if source is not None else default_evaluation_set(progress)
    some = take_samples(store, samples, seed=seed, device=place)
    told = Source(store, target, len(some.rows), seed)
    return Task(network, network, some.frames, some.plates, some.plate_index, told)


@dataclass(frozen=True)
class Pictures:
    """What a contender hands in for some samples: uint8 [n, 3, H, W] synthesised before the attack and
    adversarial, and the sample-iterations (value and gradient of one sample) that it computed for them."""

    before: Tensor
    after: Tensor
    computed: int


@dataclass
class Contender:
    """pieces: the whole task in parts that can be run on their own, one after another. setup_s: what was
    done once beforehand (export, warm-up) and is in no figure. note: what it picked, for people."""

    name: str
    pieces: Sequence[Callable[[], Pictures]]
    setup_s: float = 0.0
    note: str = ""
    rounds: list[float] = field(default_factory=list)
    cpu_rounds: list[float] = field(default_factory=list)
    pictures: list[Pictures] = field(default_factory=list)


def run_in_turns(
    contenders: Sequence[Contender],
    rounds: int,
    synchronise: Callable[[], object] = lambda: None,
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Runs every contender's pieces `rounds` times, merged so that all are equally far at any moment: a
    change of the machine's speed meets everyone. Fills in `rounds` (seconds each), `cpu_rounds` (of this
    process's threads together) and `pictures`."""
    order = sorted(
        ((place + 0.5) / len(one.pieces), index, place)
        for index, one in enumerate(contenders)
        for place in range(len(one.pieces))
    )
    for _ in range(rounds):
        seconds, cpu = [0.0] * len(contenders), [0.0] * len(contenders)
        made: list[list[Pictures]] = [[] for _ in contenders]
        for _, index, place in order:
            one = contenders[index]
            progress(one.name)
            piece = one.pieces[place]

            def work(piece: Callable[[], Pictures] = piece, into: list[Pictures] = made[index]) -> None:
                into.append(piece())

            begin = time.process_time()
            timing = measure(work, duration_s=0, warm_up_s=None, least=1, synchronise=synchronise)
            seconds[index] += timing.mean_s
            cpu[index] += time.process_time() - begin
        for one, spent, busy, parts in zip(contenders, seconds, cpu, made, strict=True):
            one.rounds.append(spent)
            one.cpu_rounds.append(busy)
            one.pictures = parts


def row(one: Contender, task: Task, min_error_mm: float) -> Row:
    """A contender's line, from the median round. Success and final error by one judge: an fp32 pass of
    the untouched target on the 8-bit frames that were handed in, against its pass on the originals."""
    before, after = (torch.cat([getattr(p, name) for p in one.pictures]) for name in ("before", "after"))
    final = _judged(task, after)
    changed = similarity(before, after, before.new_zeros(len(before), 4, dtype=torch.float64))
    seconds, cpu = statistics.median(one.rounds), statistics.median(one.cpu_rounds)
    computed = sum(part.computed for part in one.pictures)
    return {
        "name": one.name,
        "samples_per_s": len(task) / seconds,
        "sample_iterations_per_s": computed / seconds,
        "success_rate": float((final > min_error_mm).float().mean()),
        "mpjpe_final_mm": finite_mean(final.cpu().numpy()),
        "psnr_db": finite_mean(changed.psnr_db.cpu().numpy()),
        "ssim": finite_mean(changed.ssim.cpu().numpy()),
        "iterations": computed / len(task),
        "samples_per_cpu_s": len(task) / cpu,
        "cpu_ms_per_iteration": 1e3 * cpu / computed,
        "setup_s": one.setup_s,
        "note": one.note,
    }


def ratios(rows: Sequence[Row], key: str) -> dict[str, float]:
    """ "a/b" → how many times b's figure a reaches, for every two rows."""
    rate = {str(line["name"]): float(line[key]) for line in rows}
    return {f"{a}/{b}": rate[a] / rate[b] for a in rate for b in rate if a != b and rate[b]}


@torch.no_grad()
def _judged(task: Task, frames: Tensor, size: int = 32) -> Tensor:
    """MPJPE of the target on frames uint8 [n, 3, H, W] against the original ones. [n] mm."""
    errors = []
    with full_precision(frames.device):
        for rows in torch.split(torch.arange(len(frames), device=frames.device), size):
            seen = task.target.predict(frames[rows].to(task.frames.dtype) / 255)
            errors.append(mpjpe(seen, task.target.predict(task.frames[rows])))
    return torch.cat(errors)
