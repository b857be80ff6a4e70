"""What a success is worth: where its code lies among real ones, what chance would have done with the same
reach, and whether a witness that was never attacked still reads the pose in the picture.

All of it is measured after the attack, on the pictures that the judge saw, and never steers it.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dpa.engine.attack.appearance import AppearanceDistribution
from dpa.engine.attack.budget import Ball
from dpa.engine.attack.judge import Judge, full_precision
from dpa.engine.attack.objective import Generator, Target, mpjpe
from dpa.engine.attack.state import Scene, Status
from dpa.engine.attack.summary import rate
from dpa.engine.attack.writer import Column, read_samples
from dpa.engine.runs.directory import RunDirectory
from dpa.models.data.store import PackedStore, as_images
from dpa.models.frameworks.base import DisentangledNetwork

EVIDENCE = "evidence.parquet"
REAL_CODES = 40
BASELINES = {
    "random": "random directions, as far as the attack went",
    "other": "one real code of another person",
    "best_of": f"the best of {REAL_CODES} real codes",
}
"""What needs no gradient. The last is an attack, if a weak one."""

FRAMES = 256
"""Samples on which the baselines are measured at most, spread evenly."""
WITHIN_MM = 80.0
"""A success is clean where the witness's pose moves by no more than this (the project's choice)."""
ROWS = 64
NEEDED = ("subject", "sequence", "h_a", "h_a0", "h_p0", "box", "initial_pose", "initial_error_mm", "success")


@dataclass(frozen=True)
class Attacked:
    """Some samples of a run as their pictures can be painted again. index: [n], their numbers in the store;
    subject: [n] names; start, end: codes [n, A]; scene: of n rows; judge: with their plates."""

    index: NDArray[np.int64]
    subject: NDArray[np.str_]
    start: Tensor
    end: Tensor
    scene: Scene
    judge: Judge


def attacked_samples(
    samples: Mapping[str, Column],
    store: PackedStore,
    generator: Generator,
    target: Target,
    rows: NDArray[np.int64],
    device: torch.device,
) -> Iterator[Attacked]:
    """The rows of a table of samples, ROWS at a time. Those whose codes are not finite have no picture and
    must not be among them."""
    for begin in range(0, len(rows), ROWS):
        part = rows[begin : begin + ROWS]

        def send(name: str, part: NDArray[np.int64] = part) -> Tensor:
            return torch.from_numpy(np.array(samples[name][part])).to(device)

        index = samples["index"][part].astype(np.int64)
        numbers, places = np.unique(store.plate[index], return_inverse=True)
        pose_code, start = send("h_p0"), send("h_a0")
        with torch.no_grad(), full_precision(device):
            mask = generator.decode(start, pose_code)[1]
        scene = Scene(
            pose_code=pose_code,
            mask=mask,
            box=send("box"),
            plate_index=torch.from_numpy(places.astype(np.int64)).to(device),
            reference=send("initial_pose"),
            prefix=start.new_empty(len(part), 0),
        )
        plates = as_images(np.array(store.plates[numbers], subok=False)).to(device)
        judge = Judge(generator, target, plates)
        yield Attacked(index, samples["subject"][part].astype(str), start, send("h_a"), scene, judge)


def baseline_errors(
    some: Attacked, real: AppearanceDistribution, ball: Ball, seed: int
) -> dict[str, NDArray[np.float64]]:
    """The judge's error [n] mm with codes that no gradient found, each put into the ball: see BASELINES. What
    is drawn for a sample depends on `seed` and its number alone."""
    codes = torch.from_numpy(real.codes).to(some.start)
    chosen, directions = [], []
    for number, subject in zip(some.index.tolist(), some.subject.tolist(), strict=True):
        draws = np.random.default_rng([seed, number])
        others = np.flatnonzero(np.array(real.names)[real.persons] != subject)
        chosen.append(draws.choice(others if len(others) else len(codes), REAL_CODES))
        directions.append(draws.normal(size=codes.shape[1]))
    direction = torch.nn.functional.normalize(torch.from_numpy(np.array(directions)), dim=1).to(some.start)
    went = ((some.end - some.start) @ ball.whitening).norm(dim=1, keepdim=True)

    def error(h_a: Tensor) -> NDArray[np.float64]:
        found: NDArray[np.float64] = some.judge(ball.inside(h_a), some.scene).error.double().cpu().numpy()
        return found

    picked = torch.from_numpy(np.array(chosen)).to(some.start.device)
    with_real = np.stack([error(codes[picked[:, number]]) for number in range(REAL_CODES)])
    return {
        "random": error(some.start + went * direction @ ball.colouring),
        "other": with_real[0],
        "best_of": np.where(np.isfinite(with_real), with_real, -np.inf).max(axis=0),
    }


def witness_shift(some: Attacked, witness: DisentangledNetwork) -> NDArray[np.float64]:
    """MPJPE [n] mm between what the witness reads in the frames synthesised before and after the attack."""

    def read(h_a: Tensor) -> Tensor:
        frames = some.judge.paint(h_a, some.scene)
        with torch.no_grad(), full_precision(h_a.device):
            return witness.predict(frames.float() / 255)

    shift: NDArray[np.float64] = mpjpe(read(some.end), read(some.start)).double().cpu().numpy()
    return shift


def gather_evidence(
    run: RunDirectory,
    store: PackedStore,
    generator: Generator,
    target: Target,
    device: torch.device,
    *,
    real: AppearanceDistribution | None,
    ball: Ball | None,
    witness: DisentangledNetwork | None,
    seed: int,
) -> dict[str, Column]:
    """Writes EVIDENCE into a finished run and returns its columns, one row a sample in the order of `index`.

    radius, start_radius: of the codes after and before, in units of the spread of real ones; witness_mm: see
    `witness_shift`; random_mm, other_mm, best_of_mm: see `baseline_errors`, measured where there is a ball.
    NaN where a figure was not measured or is not finite.
    """
    samples = read_samples(run, NEEDED)
    count = len(samples["index"])
    finite = np.flatnonzero(
        np.isfinite(samples["h_a"].astype(float)).all(axis=1)
        & np.isfinite(samples["h_a0"].astype(float)).all(axis=1)
    )
    names = ("radius", "start_radius", "witness_mm", *(f"{name}_mm" for name in BASELINES))
    made = {name: np.full(count, np.nan) for name in names}
    if real is not None and len(finite):
        made["radius"][finite] = real.radius(samples["h_a"][finite].astype(float))
        made["start_radius"][finite] = real.radius(samples["h_a0"][finite].astype(float))
    if witness is not None:
        at = 0
        for some in attacked_samples(samples, store, generator, target, finite, device):
            made["witness_mm"][finite[at : at + len(some.index)]] = witness_shift(some, witness)
            at += len(some.index)
    if real is not None and ball is not None:
        places = np.unique(np.linspace(0, len(finite) - 1, min(FRAMES, len(finite))).round().astype(int))
        at, rows = 0, finite[places] if len(finite) else finite
        for some in attacked_samples(samples, store, generator, target, rows, device):
            for name, errors in baseline_errors(some, real, ball, seed).items():
                made[f"{name}_mm"][rows[at : at + len(some.index)]] = errors
            at += len(some.index)
    columns: dict[str, Column] = {"index": samples["index"], **made}
    run.shard(EVIDENCE, 0, columns)
    return columns


def summarise_evidence(
    samples: Mapping[str, Column],
    evidence: Mapping[str, Column],
    *,
    real: AppearanceDistribution | None,
    ball: Ball | None,
    budget: str | None,
    witness: str | None,
    min_error_mm: float,
) -> dict[str, object]:
    """What results.json says of it. samples: with success, status, initial_error_mm and sequence.

    beyond_every_real: share of the attacks whose code lies farther out than every real one. appearance: the
    distribution's facts and the codes' median radius. budget: its name and radius. baselines: success rates
    on the samples that they were measured on; who starts above the threshold succeeds with none. witness:
    share of all samples that succeed and are clean.
    """
    clips = samples["sequence"]
    told: dict[str, object] = {}
    if real is not None:
        radius = evidence["radius"].astype(float)
        made = ~np.isin(samples["status"], (Status.NONFINITE, Status.STARTED_ABOVE))
        told |= rate("beyond_every_real", (radius > real.farthest)[made], clips[made])
        told["appearance"] = real.facts() | {"radius_attacked": _median(radius[made])}
    if real is not None and ball is not None:
        told["budget"] = {"name": budget, "radius": ball.radius, "held_out": "by clip"}
        measured = np.isfinite(evidence["random_mm"].astype(float)) | np.isfinite(
            evidence["other_mm"].astype(float)
        )
        below = samples["initial_error_mm"].astype(float) <= min_error_mm
        told["baselines"] = {
            name: {"n": int(measured.sum()), "words": words}
            | rate(
                "success_rate",
                (below & (evidence[f"{name}_mm"].astype(float) > min_error_mm))[measured],
                clips[measured],
            )
            for name, words in BASELINES.items()
        }
    if witness is not None:
        success = samples["success"].astype(bool)
        moved = evidence["witness_mm"].astype(float)
        told["witness"] = {
            "name": witness,
            "within_mm": WITHIN_MM,
            "moved_mm": _median(moved[success]),
            "clean_of_successes": float((moved[success] <= WITHIN_MM).mean()) if success.any() else None,
        } | rate("clean_success_rate", success & (moved <= WITHIN_MM), clips)
    return told


def _median(values: NDArray[np.float64]) -> float | None:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else None


def evidence_in_words(results: Mapping[str, Any]) -> list[str]:
    """The lines that stand under every success rate. results: a run's; of one that was made before there was
    any evidence, none."""
    if "counts" not in results:
        return []

    def share(told: Mapping[str, Any], name: str) -> str:
        value, low, high = (told.get(name + end) for end in ("", "_low", "_high"))
        if value is None:
            return "not measured"
        interval = "" if low is None or high is None else f" ({100 * low:.1f} to {100 * high:.1f})"
        return f"{100 * value:.1f} %{interval}"

    counts, threshold = results["counts"], results["min_error_mm"]
    lines = [
        f"success {share(results, 'success_rate')} of {results['n']}: {counts['succeeded']} succeeded,"
        f" {counts['failed']} failed, {counts['started_above']} started above {threshold:g} mm,"
        f" {counts['nonfinite']} not finite, {counts['no_gradient']} without gradient; in brackets 95 %"
        " intervals over clips"
    ]
    if real := results.get("appearance"):
        lines.append(
            f"beyond every real code: {share(results, 'beyond_every_real')};"
            f" median radius {real['radius_attacked'] or math.nan:.1f}, of real codes {real['codes']}:"
            f" 95 % radius by clip {real['radius_by_clip']['0.95']:.1f}, by person"
            f" {real['radius_by_person'].get('0.95', math.nan):.1f}, outermost {real['radius_farthest']:.1f}"
        )
    if budget := results.get("budget"):
        radius = "no ball" if budget["radius"] is None else f"a ball of radius {budget['radius']:.1f}"
        lines.append(f"budget {budget['name']}: {radius}, real codes held out {budget['held_out']}")
    for told in results.get("baselines", {}).values():
        lines.append(f"  beside it, {told['words']}: {share(told, 'success_rate')} of {told['n']}")
    if witness := results.get("witness"):
        clean, moved = share(witness, "clean_success_rate"), witness["moved_mm"] or math.nan
        lines.append(
            f"clean success {clean}: {witness['name']} reads the same pose within {witness['within_mm']:g} mm"
            f" (its median over the successes: {moved:.1f} mm)"
        )
    return lines
