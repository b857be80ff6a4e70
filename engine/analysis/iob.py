"""Information over Bias: how much better a picture can be decoded from a code than from nothing at all."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from dpa.engine.analysis.iob_decoder import IobDecoder
from dpa.models.config import Config

Progress = Callable[[int, int], None]


class IobConfig(Config):
    """The authors' settings (FACTS, DC and IOB), and ours: seeds, how often everything is trained anew, so
    that the spread can be told; train_share of the clips, the test pictures coming from the others;
    both_ends, whether decoders without the last normalisation are trained too; size, the side that pictures
    are brought to (None: as they are)."""

    epochs: int = Field(default=40, ge=1)
    batch: int = Field(default=10, ge=1)
    learning_rate: float = Field(default=1e-4, gt=0)
    betas: tuple[float, float] = (0.5, 0.999)
    seeds: int = Field(default=3, ge=1)
    train_share: float = Field(default=0.75, gt=0, lt=1)
    both_ends: bool = True
    size: int | None = Field(default=None, ge=16, multiple_of=16)


@dataclass(frozen=True)
class Iob:
    """bias_mse, code_mse: [seeds], mean squared error on the test pictures in [-1, 1] of the decoder fed ones
    and of the one fed the code."""

    bias_mse: NDArray[np.float64]
    code_mse: NDArray[np.float64]

    @property
    def values(self) -> NDArray[np.float64]:
        """IOB of each seed: above 1 the code helps, 1 is no better than a constant."""
        ratio: NDArray[np.float64] = self.bias_mse / self.code_mse
        return ratio

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return float(self.values.mean())

    @property
    def spread(self) -> float:
        """Standard deviation between seeds; NaN with one."""
        return float(self.values.std(ddof=1)) if len(self.values) > 1 else float("nan")


@dataclass(frozen=True)
class Split:
    """train, test: int64 numbers of pictures."""

    train: Tensor
    test: Tensor


def split_by_clip(clips: NDArray[np.int64], train_share: float, seed: int) -> Split:
    """Whole clips to one side or the other, at least one to each, so that no test picture has a twin among
    the training pictures. clips: [n] of at least two clips. ValueError for one clip."""
    names = np.random.default_rng(seed).permutation(np.unique(clips))
    if len(names) < 2:
        raise ValueError("pictures of one clip cannot be split by clip")
    count = min(max(1, round(train_share * len(names))), len(names) - 1)
    inside = np.isin(clips, names[:count])
    return Split(torch.from_numpy(np.flatnonzero(inside)), torch.from_numpy(np.flatnonzero(~inside)))


def information_over_bias(
    pictures: Tensor,
    codes: dict[str, Tensor],
    clips: NDArray[np.int64],
    config: IobConfig,
    last_norm: bool = True,
    progress: Progress | None = None,
) -> dict[str, Iob]:
    """IOB of several codes of the same pictures: test error of a decoder fed ones over that of one fed the
    code, both trained from the same seed on the same clips.

    pictures: [n, 3, s, s] in [0, 1], s a multiple of 16; codes: [n, D] by name; clips: [n]. last_norm: see
    IobDecoder. progress: called with (decoders trained, in all).
    """
    targets = pictures * 2 - 1
    errors: dict[str, list[tuple[float, float]]] = {name: [] for name in codes}
    total = config.seeds * 2 * len(codes)
    done = 0
    for seed in range(config.seeds):
        split = split_by_clip(clips, config.train_share, seed)
        for name, code in codes.items():
            pair = []
            for fed in (torch.ones(1, code.shape[1]).to(code), code):
                decoder = train_decoder(fed, targets, split.train, config, last_norm, seed)
                pair.append(held_out_mse(decoder, fed, targets, split.test))
                done += 1
                if progress is not None:
                    progress(done, total)
            errors[name].append((pair[0], pair[1]))
    return {name: Iob(*np.array(pairs, dtype=np.float64).T) for name, pairs in errors.items()}


def train_decoder(
    code: Tensor, targets: Tensor, rows: Tensor, config: IobConfig, last_norm: bool, seed: int
) -> IobDecoder:
    """A decoder trained with mean squared error and Adam on some of the pictures.

    code: [n, D], or [1, D] where all pictures have the same: the decoder then runs once a batch, which is the
    same training, as its normalisation is by picture. targets: [n, 3, s, s] in [-1, 1]; rows: int64.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        decoder = IobDecoder(code.shape[1], targets.shape[-1], last_norm).to(targets.device)
    optimiser = torch.optim.Adam(decoder.parameters(), config.learning_rate, config.betas, fused=True)
    draws = torch.Generator().manual_seed(seed)
    for _ in range(config.epochs):
        order = rows[torch.randperm(len(rows), generator=draws)]
        for some in torch.split(order, config.batch):
            fed = code if len(code) == 1 else code[some]
            wanted = targets[some]
            loss = F.mse_loss(decoder(fed).expand_as(wanted), wanted)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return decoder.eval()


def held_out_mse(decoder: IobDecoder, code: Tensor, targets: Tensor, rows: Tensor, batch: int = 64) -> float:
    """Mean squared error over pixels, channels and pictures; arguments as for `train_decoder`."""
    total = 0.0
    with torch.no_grad():
        for some in torch.split(rows, batch):
            made = decoder(code if len(code) == 1 else code[some])
            total += float(((made - targets[some]) ** 2).mean(dim=(1, 2, 3)).sum())
    return total / len(rows)
