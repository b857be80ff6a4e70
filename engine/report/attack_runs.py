"""Finished attack runs as the report reads them: results, and who attacked whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpa.engine.attack.summary import data_note, finite_mean
from dpa.engine.attack.writer import read_samples
from dpa.engine.runs.directory import COMMAND, RESULTS, RunDirectory
from dpa.engine.runs.errors import NotARun
from dpa.models.data.store import PackedStore
from dpa.models.errors import InputError
from dpa.models.frameworks import PAPER_NAMES
from dpa.models.training.checkpoint import network_folder, read_config

MEASURES = ("ssim", "psnr_db", "mse")


@dataclass(frozen=True)
class Role:
    """A network in a run. name: as the run named it. framework: "NSD", "DRNet", "CSSL", None where its
    checkpoint is gone. augmented: trained with augmentation. ablated: without its framework's swap or
    adversary."""

    name: str
    framework: str | None
    augmented: bool = False
    ablated: bool = False

    @property
    def plain(self) -> bool:
        """Whether it is trained as the paper's Tables 1 and 2 have it."""
        return self.framework in PAPER_NAMES.values() and not (self.augmented or self.ablated)


@dataclass(frozen=True)
class AttackRun:
    """results: see `attack.summary.summarise`. image_in_box: ssim, psnr_db and mse inside the person's box.
    command: what printed it. note: what must stand beside figures of its data."""

    path: Path
    results: Mapping[str, Any]
    image_in_box: Mapping[str, float | None]
    command: str
    note: str
    target: Role
    generator: Role

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
    samples = read_samples(run, [f"box_{name}" for name in MEASURES])
    return AttackRun(
        path=path,
        results=results,
        image_in_box={name: finite_mean(samples[f"box_{name}"]) for name in MEASURES},
        command=(path / COMMAND).read_text().strip(),
        note=data_note(_source(run.config().get("source"))),
        target=role(str(results["target"])),
        generator=role(str(results["generator"])),
    )


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
    return Role(name, framework, augmented, ablated)


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
