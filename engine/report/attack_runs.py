"""Finished attack runs as the report reads them: results, and who attacked whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dpa.engine.attack.state import Status
from dpa.engine.attack.summary import data_note, finite_mean
from dpa.engine.attack.writer import SAMPLES, read_samples
from dpa.engine.drawing.skeleton import PARENTS
from dpa.engine.intervals import mean_interval
from dpa.engine.runs.directory import COMMAND, RESULTS, RunDirectory
from dpa.engine.runs.errors import NotARun
from dpa.models.data.store import PackedStore
from dpa.models.errors import InputError
from dpa.models.frameworks import PAPER_NAMES
from dpa.models.training.checkpoint import network_folder, read_config

MEASURES = ("ssim", "psnr_db", "mse")
PARTS = {"box": "box_", "frame": ""}
"""What of a picture is compared, the person first, and how its columns begin."""

SILHOUETTE = "silhouette.json"
"""The same inside the silhouettes, of the samples whose pictures were kept."""

ERRORS = {"mpjpe_initial_mm": "initial_error_mm", "mpjpe_final_mm": "final_error_mm"}
"""Figures of a run, and the columns whose means they are."""

Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Role:
    """A network in a run. name: as the run named it. framework: "NSD", "DRNet", "CSSL", None where its
    checkpoint is gone. augmented: trained with augmentation. ablated: without its framework's swap or
    adversary. refinement: steps of it after joint training; labels: share of the training frames whose poses
    φ was fitted on; None where the checkpoint does not say."""

    name: str
    framework: str | None
    augmented: bool = False
    ablated: bool = False
    refinement: int | None = None
    labels: float | None = None

    @property
    def plain(self) -> bool:
        """Whether it is trained as the paper's Tables 1 and 2 have it."""
        return self.framework in PAPER_NAMES.values() and not (self.augmented or self.ablated)


@dataclass(frozen=True)
class AttackRun:
    """results: see `attack.summary.summarise`, and what `measured` adds. samples: the columns of ROWS that
    the run has. command: what printed it. note: what must stand beside figures of its data."""

    path: Path
    results: Mapping[str, Any]
    samples: Columns
    command: str
    note: str
    target: Role
    generator: Role

    @property
    def parts(self) -> Mapping[str, Mapping[str, float | None]]:
        """Similarity of the pictures by the part that is compared, the person first."""
        similarity: Mapping[str, Mapping[str, float | None]] = self.results.get("similarity", {})
        return similarity or {"frame": self.results["image"]}

    @property
    def own(self) -> bool:
        """Whether the target painted its own pictures, as in the paper's Table 1."""
        return self.target == self.generator


def read_runs(paths: Sequence[Path]) -> list[AttackRun]:
    """Raises NotARun, IncompleteRun, and NotARun for a run of another command."""
    return [read_run(path) for path in paths]


def read_run(path: Path) -> AttackRun:
    """See `read_runs`."""
    run = RunDirectory.open(path)
    results = run.read_json(RESULTS) if (path / RESULTS).is_file() else None
    if not isinstance(results, dict) or "per_subject" not in results:
        raise NotARun(path, "no results of an attack")
    samples = read_samples(run, columns_of(run))
    return AttackRun(
        path=path,
        results=measured(results, samples, inside_silhouettes(run)),
        samples=samples,
        command=(path / COMMAND).read_text().strip(),
        note=data_note(_source(run.config().get("source"))),
        target=role(str(results["target"])),
        generator=role(str(results["generator"])),
    )


ROWS = (
    "index",
    "subject",
    "sequence",
    "status",
    "success",
    *ERRORS.values(),
    *(prefix + name for prefix in PARTS.values() for name in MEASURES),
    "final_pose",
    "initial_pose",
)
"""Columns of samples that figures are made from."""


def columns_of(run: RunDirectory) -> list[str]:
    """Those of ROWS that a run has: earlier versions kept fewer."""
    shards = sorted((run.path / SAMPLES).glob("*.parquet"))
    there = pq.read_schema(shards[0]).names if shards else []
    return [name for name in ROWS if name in there]


def inside_silhouettes(run: RunDirectory) -> Mapping[str, float | None]:
    """How similar the pictures are there; empty for a run that kept no such figures."""
    found = run.read_json(SILHOUETTE) if (run.path / SILHOUETTE).is_file() else {}
    return found if isinstance(found, dict) else {}


def measured(
    results: Mapping[str, Any], samples: Columns, silhouette: Mapping[str, float | None]
) -> dict[str, Any]:
    """The results of a run with what the samples tell beside the means: 95 % intervals over clips (NAME_low,
    NAME_high) and medians (NAME_median) of errors; of the pictures' similarity by part, person first; and how
    long the final poses' bones are, 1 being those of the poses before the attack."""
    told = dict(results)
    sound = _sound(samples)
    clips = samples.get("sequence")
    for name, column in ERRORS.items():
        if column in samples:
            values = samples[column][sound].astype(float)
            told |= _with_interval(name, values, None if clips is None else clips[sound])
            told[f"{name}_median"] = _median(values)
    told["similarity"] = {"silhouette": silhouette} if silhouette else {}
    told["similarity"] |= {
        part: _similarity(prefix, samples, sound)
        for part, prefix in PARTS.items()
        if prefix + MEASURES[0] in samples
    }
    told["image"] = {**results["image"], **told["similarity"].get("frame", {})}
    told["similarity"]["frame"] = told["image"]
    if {"final_pose", "initial_pose"} <= samples.keys():
        ratio = bone_ratio(samples["initial_pose"], samples["final_pose"])[sound]
        told |= _with_interval("bones_final", ratio, None if clips is None else clips[sound])
        told["bones_final"] = finite_mean(ratio)
    if clips is not None and "subject" in samples:
        told["per_subject"] = {
            name: row | _of_subject(samples, sound & (samples["subject"] == name))
            for name, row in results["per_subject"].items()
        }
    return told


def bone_ratio(before: NDArray[np.floating], after: NDArray[np.floating]) -> NDArray[np.float64]:
    """Summed length of the bones after over that before, sample by sample: [n, 17, 3] mm twice → [n]. A
    skeleton ten times too long is a broken regressor, not a moved pose."""
    child, parent = list(range(1, len(PARENTS))), list(PARENTS[1:])
    lengths = [
        np.linalg.norm(pose[:, child] - pose[:, parent], axis=-1).sum(axis=1).astype(float)
        for pose in (before, after)
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: NDArray[np.float64] = lengths[1] / lengths[0]
    return ratio


def _sound(samples: Columns) -> NDArray[np.bool_]:
    """Samples that are part of means and rates."""
    if "status" not in samples:
        return np.ones(len(next(iter(samples.values()))), dtype=bool)
    return ~np.isin(samples["status"], [Status.NONFINITE, Status.NO_GRADIENT])


def _of_subject(samples: Columns, rows: NDArray[np.bool_]) -> dict[str, float | None]:
    clips = samples["sequence"][rows]
    told: dict[str, float | None] = {}
    for name, column in ERRORS.items():
        key = name.removeprefix("mpjpe_")
        told |= _with_interval(key, samples[column][rows].astype(float), clips)
    return told | _with_interval("success_rate", samples["success"][rows].astype(float), clips)


def _similarity(prefix: str, samples: Columns, sound: NDArray[np.bool_]) -> dict[str, float | None]:
    told: dict[str, float | None] = {}
    clips = samples.get("sequence")
    for name in MEASURES:
        values = samples[prefix + name][sound].astype(float)
        told[name] = finite_mean(values)
        told |= _with_interval(name, values, None if clips is None else clips[sound])
    return told


def _with_interval(
    name: str, values: NDArray[np.float64], clips: NDArray[Any] | None
) -> dict[str, float | None]:
    low, high = (mean_interval(values, clips) if clips is not None else None) or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _median(values: NDArray[np.float64]) -> float | None:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else None


def role(name: str) -> Role:
    """What a network's checkpoint says of it."""
    try:
        config = read_config(network_folder(name))
    except InputError:
        return Role(name, None)
    told = config.training
    augmented = told.get("augment", "none") != "none"
    ablated = told.get("swap_appearance") is False or _weight(told, "drnet", "adversarial") == 0
    framework = PAPER_NAMES.get(config.framework, config.framework)
    refined, labels = _weight(told, "refinement", "steps"), _weight(told, "regressor_fit", "fraction")
    return Role(
        name,
        framework,
        augmented,
        ablated,
        refined if isinstance(refined, int) else None,
        float(labels) if isinstance(labels, int | float) else None,
    )


def _weight(training: Mapping[str, object], group: str, key: str) -> object:
    weights = training.get(group)
    return weights.get(key) if isinstance(weights, dict) else None


def _source(path: object) -> str:
    """The source of a run's data; its default evaluation set is synthetic."""
    if path is None:
        return "synthetic"
    try:
        return PackedStore.open(Path(str(path))).source
    except InputError:
        return "data that are no longer there"
