"""A network with the frames that it is analysed on; codes are made once and shared by the analyses."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dpa.engine.analysis.codes import Backgrounds, Codes, Network, backgrounds_of, encode_rows
from dpa.engine.analysis.config import AnalyzeConfig
from dpa.engine.analysis.pose_pairs import Pairs, all_pairs
from dpa.engine.evaluation_set import choose_samples
from dpa.models.data.store import PackedStore

Progress = Callable[[int, int], None]
"""Called with (done, in all)."""


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

    def _encode(self, count: int) -> Codes:
        rows = choose_samples(self.store, count, self.config.seed, self.config.subjects)
        return encode_rows(self.network, self.store, rows, self.device)


def to_numpy(values: Tensor) -> NDArray[np.float64]:
    """A tensor from any device, in double precision."""
    array: NDArray[np.float64] = values.detach().double().cpu().numpy()
    return array
