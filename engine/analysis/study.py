"""A network with the frames that it is analysed on; codes are made once and shared by its analyses."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from dpa.engine.analysis.codes import Backgrounds, Codes, Network, backgrounds_of, encode_rows
from dpa.engine.analysis.config import AnalyzeConfig
from dpa.engine.analysis.pose_pairs import Pairs, all_pairs
from dpa.engine.analysis.registry import Analysis
from dpa.engine.analysis.values import Table
from dpa.engine.drawing.grid import Shown
from dpa.engine.evaluation_set import choose_samples
from dpa.models.config import Config
from dpa.models.data.store import PackedStore
from dpa.models.devices import pick_device
from dpa.models.errors import InputError
from dpa.models.frameworks import PAPER_NAMES
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.training.checkpoint import read_config

Progress = Callable[[int, int], None]
"""Called with (done, in all)."""

Options = TypeVar("Options", bound=Config)


class OneSubject(InputError):
    """Everything that compares people was asked of one person."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} on frames of one subject",
            "frames of two subjects or more",
            "take another data set or more of its subjects",
        )


@dataclass(frozen=True)
class Outcome:
    """What an analysis hands out. summary: plain numbers for results.json, the keys of its measures among
    them. tables: by the name of their file. arrays: what the figures show, pictures as `stored` makes them.
    figures: by the name of their file; `analyse` draws them from the record."""

    summary: Mapping[str, float]
    tables: Mapping[str, Table]
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)

    def plain_summary(self) -> dict[str, float | None]:
        """The numbers as JSON has them: None where there is no finite one."""
        return {name: value if math.isfinite(value) else None for name, value in self.summary.items()}


@dataclass(frozen=True)
class Study:
    """label: the network's name in figures."""

    network: Network
    store: PackedStore
    config: AnalyzeConfig
    device: torch.device
    label: str

    @cached_property
    def pool(self) -> Codes:
        """Codes of `config.pool` frames, spread over subjects, actions and cameras."""
        return self._encode(self.config.pool)

    @cached_property
    def sample(self) -> Codes:
        """Codes of `config.samples` frames, for DC and IOB."""
        return self._encode(self.config.samples)

    @cached_property
    def pairs_of_two(self) -> Pairs:
        """Every pair of different subjects in the pool, the most similar poses first."""
        return self.pairs(same=False)

    def pairs(self, *, same: bool) -> Pairs:
        """Every pair of different clips in the pool, of one subject or of two."""
        rows = self.pool.rows
        return all_pairs(
            self.store.poses[rows], self.store.subject[rows], self.store.sequence[rows], same=same
        )

    def take(self, numbers: NDArray[np.int64]) -> tuple[Codes, Backgrounds]:
        """Some of the pool, with their backgrounds."""
        codes = self.pool.take(torch.from_numpy(numbers))
        return codes, backgrounds_of(self.store, codes)

    def titles(self, numbers: NDArray[np.int64]) -> list[str]:
        """Who is seen in some of the pool."""
        return [str(name) for name in self.store.subject[self.pool.rows[numbers]]]

    def options(self, name: str, kind: type[Options]) -> Options:
        """An analysis's own settings, as its record declares them."""
        return kind.model_validate(self.config.options.get(name, {}))

    def _encode(self, count: int) -> Codes:
        rows = choose_samples(self.store, count, self.config.seed, self.config.subjects)
        return encode_rows(self.network, self.store, rows, self.device)


def study_of(network: DisentangledNetwork, store: PackedStore, config: AnalyzeConfig) -> Study:
    """The network, moved to the device that the settings name, with its frames."""
    device = pick_device(config.device)
    return Study(network.to(device), store, config, device, label_of(network))


def label_of(network: DisentangledNetwork) -> str:
    """The network's name in figures, as the paper writes it: "CSSL (DA)" where it was trained with
    augmentation."""
    name = PAPER_NAMES.get(network.framework, network.framework)
    told = {} if network.source is None else read_config(network.source).training
    return f"{name} (DA)" if told.get("augment", "none") != "none" else name


def analyse(study: Study, analysis: Analysis, progress: Progress) -> Outcome:
    """One analysis with its figures. Raises OneSubject, and what the analysis raises."""
    if analysis.compares_people and len(np.unique(study.store.subject[study.pool.rows])) < 2:
        raise OneSubject(analysis.name)
    outcome = analysis.run(study, progress)
    shown = [Shown(study.label, outcome.plain_summary(), outcome.arrays)]
    figures = {spec.file: spec.draw(shown, True) for spec in analysis.figures if spec.file}
    return Outcome(outcome.summary, outcome.tables, outcome.arrays, figures)


def stored(pictures: Tensor) -> NDArray[np.uint8]:
    """Pictures [n, 3, h, w] in [0, 1] → uint8, rounded, as files hold them."""
    array: NDArray[np.uint8] = (pictures.detach().cpu().clamp(0, 1) * 255).round().byte().numpy()
    return array


def to_numpy(values: Tensor) -> NDArray[np.float64]:
    """A tensor from any device, in double precision."""
    array: NDArray[np.float64] = values.detach().double().cpu().numpy()
    return array
