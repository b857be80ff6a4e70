"""The work of every stage: networks are loaded and codes made once, when a stage first asks for them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dpa.engine.analysis.registry import Analysis
from dpa.engine.analysis.study import Study, analyse
from dpa.engine.attack.algorithm import InitialPose, appearance_attack
from dpa.engine.attack.config import AttackConfig, AttackRunConfig
from dpa.engine.attack.run import Networks, run_attack
from dpa.engine.attack.writer import read_samples, to_numpy, to_pictures
from dpa.engine.evaluation_set import choose_samples, samples_at
from dpa.engine.report.analysis_files import keep, save_arrays
from dpa.engine.report.attack_report import shown_rows, write_attack_report
from dpa.engine.reproduce.config import ReproduceConfig
from dpa.engine.reproduce.participants import Participant
from dpa.engine.reproduce.stage import Report
from dpa.engine.runs.directory import RESULTS, RunDirectory
from dpa.engine.runs.results import EvaluateResults, versioned
from dpa.models.data.store import PackedStore
from dpa.models.devices import pick_device
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.training.checkpoint import load_network
from dpa.models.training.validation import validate

LIMITS = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377)
"""Limits of updates, each about 1.6 times the one before: most happens early."""

Columns = Mapping[str, NDArray[Any]]


def limits_until(most: int) -> list[int]:
    """The limits below `most`, and `most` itself: 0 to the last update that any sample needed."""
    return [*(limit for limit in LIMITS if limit < most), most]


def snapshots(
    network: DisentangledNetwork,
    store: PackedStore,
    samples: Columns,
    config: AttackConfig,
    initial_pose: InitialPose | None = None,
    report: Report | None = None,
) -> dict[str, NDArray[Any]]:
    """Attacks the frames samples["index"] again, once for every limit k of updates.

    samples: columns of an attack run (see `sample_columns`), n rows. Returns steps: [k], frames: uint8
    [n, k, H, W, 3], poses: [n, k, J, 3] mm and errors: [n, k] mm, each of the best code within the limit, as
    the attack hands it out; original: uint8 [n, H, W, 3]; before, truth: [n, J, 3] mm, q and the true pose;
    box: [n, 4]; trace: [n, max_steps + 1] mm; iterations: [n]; subject, action: [n].
    """
    rows = samples["index"]
    some = samples_at(store, rows, next(network.parameters()).device)
    steps = limits_until(int(samples["iterations"].max()))
    results = []
    for number, limit in enumerate(steps):
        limited = config.model_copy(update={"max_steps": limit})
        results.append(
            appearance_attack(
                network,
                network,
                some.frames,
                some.plates,
                some.plate_index,
                limited,
                initial_pose=initial_pose,
            )
        )
        if report is not None:
            report(number + 1, len(steps))
    last = results[-1]
    return {
        "steps": np.array(steps),
        "frames": np.stack([to_pictures(one.adversarial_frame) for one in results], axis=1),
        "poses": np.stack([to_numpy(one.final_pose) for one in results], axis=1),
        "errors": np.stack([to_numpy(one.final_error_mm) for one in results], axis=1),
        "original": store.frames_u8_at(rows.tolist()),
        "before": to_numpy(last.initial_pose),
        "truth": store.poses[rows],
        "box": to_numpy(last.box),
        "trace": to_numpy(last.trace),
        "iterations": to_numpy(last.iterations),
        "subject": store.subject[rows],
        "action": store.action[rows],
    }


PoseSession = Callable[[DisentangledNetwork], InitialPose]
"""A faster φ(E(S(I))) of a network, checked against it by whoever makes it."""


@dataclass
class StageWork:
    """base: the whole's folder, for stages that read another's result."""

    config: ReproduceConfig
    store: PackedStore
    base: Path
    pose_session: PoseSession | None = None
    _networks: dict[str, DisentangledNetwork] = field(default_factory=dict)
    _poses: dict[str, InitialPose] = field(default_factory=dict)
    _studies: dict[str, Study] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        """Where everything is computed."""
        return pick_device(self.config.device)

    def network(self, member: Participant) -> DisentangledNetwork:
        """Loaded once."""
        if member.name not in self._networks:
            self._networks[member.name] = load_network(member.spec).to(self.device)
        return self._networks[member.name]

    def predict(self, member: Participant, run: RunDirectory, report: Report) -> None:
        """Reconstruction, box and pose of every frame: what `dpa-engine evaluate --json` prints."""
        rows = np.arange(len(self.store))
        measured = validate(self.network(member), self.store, rows)
        subjects = measured.per_subject(self.store.subject)
        told = {"n": len(rows), "nonfinite": measured.nonfinite, **measured.summary()}
        run.write_json(RESULTS, versioned(EvaluateResults, {**told, "per_subject": subjects}))

    def attack(self, settings: AttackRunConfig, roles: "Pair", run: RunDirectory, report: Report) -> None:
        """One cell of the matrix of attacks, as `dpa-engine attack` does it."""
        networks = Networks(self.network(roles.generator), self.network(roles.target))
        rows = choose_samples(self.store, settings.samples, settings.seed)

        def told(finished: int, succeeded: int) -> None:
            report(finished, len(rows))

        results = run_attack(run, networks, self.store, rows, settings, self._pose(roles.target), told)
        write_attack_report(run, results, self.store)

    def analyse(self, member: Participant, analysis: Analysis, run: RunDirectory, report: Report) -> None:
        """One analysis, as `dpa-engine analyze` does it."""
        keep(run, analysis.name, analyse(self._study(member), analysis, report))

    def watch(self, member: Participant, attack: str, run: RunDirectory, report: Report) -> None:
        """The attack of a few samples, frame by frame. attack: the folder of the network's own attack."""
        samples = read_samples(RunDirectory.open(self.base / attack))
        rows = spread_out(shown_rows(samples), self.config.shown)
        chosen = {name: column[rows] for name, column in samples.items()}
        network = self.network(member)
        arrays = snapshots(network, self.store, chosen, self.config.attack, self._pose(member), report)
        with run.writing("snapshots.npz") as path:
            save_arrays(path, arrays)

    def _pose(self, member: Participant) -> InitialPose | None:
        if self.pose_session is None:
            return None
        if member.name not in self._poses:
            self._poses[member.name] = self.pose_session(self.network(member))
        return self._poses[member.name]

    def _study(self, member: Participant) -> Study:
        if member.name not in self._studies:
            config = self.config.analysis(None, member.spec)
            study = Study(self.network(member), self.store, config, self.device, member.title)
            self._studies[member.name] = study
        return self._studies[member.name]


@dataclass(frozen=True)
class Pair:
    """Who paints, and who is attacked."""

    generator: Participant
    target: Participant


def spread_out(values: Sequence[int], count: int) -> list[int]:
    """At most `count` of the values, evenly apart, the first and the last among them where there are two."""
    places = np.unique(np.linspace(0, len(values) - 1, min(count, len(values))).round().astype(int))
    return [values[place] for place in places]
