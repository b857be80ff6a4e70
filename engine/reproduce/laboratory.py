"""The work of every stage: networks are loaded and codes made once, when a stage first asks for them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from dpa.engine.analysis.run import keep, save_arrays
from dpa.engine.analysis.study import Study
from dpa.engine.analysis.suite import analyse
from dpa.engine.attack.config import AttackRunConfig
from dpa.engine.attack.preparation import InitialPose
from dpa.engine.attack.run import Networks, run_attack
from dpa.engine.attack.stored import read_samples
from dpa.engine.evaluation_set import choose_samples
from dpa.engine.report.attack_report import shown_rows, write_attack_report
from dpa.engine.reproduce.config import ReproduceConfig
from dpa.engine.reproduce.members import Member
from dpa.engine.reproduce.snapshots import snapshots
from dpa.engine.reproduce.stage import Report
from dpa.engine.runs.directory import RESULTS, RunDirectory
from dpa.models.data.store import PackedStore
from dpa.models.devices import pick_device
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.training.checkpoint import load_network
from dpa.models.training.validation import validate

PoseSession = Callable[[DisentangledNetwork], InitialPose]
"""A faster φ(E(S(I))) of a network, checked against it by whoever makes it."""


@dataclass
class Laboratory:
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

    def network(self, member: Member) -> DisentangledNetwork:
        """Loaded once."""
        if member.name not in self._networks:
            self._networks[member.name] = load_network(member.spec).to(self.device)
        return self._networks[member.name]

    def predict(self, member: Member, run: RunDirectory, report: Report) -> None:
        """Reconstruction, box and pose of every frame: what `dpa-engine evaluate --json` prints."""
        rows = np.arange(len(self.store))
        measured = validate(self.network(member), self.store, rows)
        subjects = {
            str(name): measured.only(self.store.subject == name).summary()
            for name in np.unique(self.store.subject)
        }
        run.write_json(RESULTS, {"n": len(rows), **measured.summary(), "per_subject": subjects})

    def attack(self, settings: AttackRunConfig, roles: "Pair", run: RunDirectory, report: Report) -> None:
        """One cell of the matrix of attacks, as `dpa-engine attack` does it."""
        networks = Networks(self.network(roles.generator), self.network(roles.target))
        rows = choose_samples(self.store, settings.samples, settings.seed)

        def told(finished: int, succeeded: int) -> None:
            report(finished, len(rows))

        results = run_attack(run, networks, self.store, rows, settings, self._pose(roles.target), told)
        write_attack_report(run, results, self.store)

    def analyse(self, member: Member, name: str, run: RunDirectory, report: Report) -> None:
        """One analysis, as `dpa-engine analyze` does it."""
        keep(run, name, analyse(self._study(member), name, report))

    def watch(self, member: Member, attack: str, run: RunDirectory, report: Report) -> None:
        """The attack of a few samples, frame by frame. attack: the folder of the network's own attack."""
        samples = read_samples(RunDirectory.open(self.base / attack))
        rows = spread_out(shown_rows(samples), self.config.shown)
        chosen = {name: column[rows] for name, column in samples.items()}
        network = self.network(member)
        arrays = snapshots(network, self.store, chosen, self.config.attack, self._pose(member), report)
        with run.writing("snapshots.npz") as path:
            save_arrays(path, arrays)

    def _pose(self, member: Member) -> InitialPose | None:
        if self.pose_session is None:
            return None
        if member.name not in self._poses:
            self._poses[member.name] = self.pose_session(self.network(member))
        return self._poses[member.name]

    def _study(self, member: Member) -> Study:
        if member.name not in self._studies:
            config = self.config.analysis("all", member.spec)
            study = Study(self.network(member), self.store, config, self.device, member.title)
            self._studies[member.name] = study
        return self._studies[member.name]


@dataclass(frozen=True)
class Pair:
    """Who paints, and who is attacked."""

    generator: Member
    target: Member


def spread_out(values: Sequence[int], count: int) -> list[int]:
    """At most `count` of the values, evenly apart, the first and the last among them where there are two."""
    places = np.unique(np.linspace(0, len(values) - 1, min(count, len(values))).round().astype(int))
    return [values[place] for place in places]
