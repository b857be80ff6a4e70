"""Information over Bias: how much better a picture can be decoded from a code than from nothing at all."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from dpa.models.config import Config

WIDTH = 256
"""Channels of the first map; each block halves them."""

BLOCKS = 4
"""Each doubles the side: the first map is a sixteenth of the picture."""


def up_block(inputs: int) -> nn.Sequential:
    """Transposed convolution 4×4 of stride 2, instance normalisation, LeakyReLU. [B, C, h, w] →
    [B, C/2, 2h, 2w]."""
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, inputs // 2, 4, stride=2, padding=1),
        nn.InstanceNorm2d(inputs // 2, affine=True),
        nn.LeakyReLU(0.2),
    )


class IobDecoder(nn.Module):
    """Code → picture in [-1, 1]: three linear layers without activations, four up-blocks, a 7×7 convolution,
    instance normalisation, tanh.

    The last normalisation gives every picture the same mean and contrast, channel by channel, and so hides
    a global colour that the code may know: `last_norm=False` leaves it out. The linear layers are 8 → 256 →
    4096 → 16384 for the authors' codes of 8 and pictures of 128²; ours keep 256, a quarter of the first map,
    the first map, whose side is a sixteenth of the picture's.
    """

    def __init__(self, code_dim: int, size: int, last_norm: bool = True) -> None:
        """size: the picture's side, a multiple of 16. Xavier's uniform initialisation, as the authors'."""
        super().__init__()
        if size % 2**BLOCKS:
            raise ValueError(f"pictures of {size}², a multiple of {2**BLOCKS} is needed")
        self.start = size // 2**BLOCKS
        first_map = WIDTH * self.start**2
        self.spread = nn.Sequential(
            nn.Linear(code_dim, WIDTH),
            nn.Linear(WIDTH, first_map // 4),
            nn.Linear(first_map // 4, first_map),
        )
        widths = [WIDTH >> block for block in range(BLOCKS + 1)]
        self.blocks = nn.Sequential(*(up_block(width) for width in widths[:-1]))
        self.image = nn.Conv2d(widths[-1], 3, 7, padding=3)
        self.norm = nn.InstanceNorm2d(3, affine=True) if last_norm else nn.Identity()
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.ConvTranspose2d):
                nn.init.xavier_uniform_(module.weight)

    def forward(self, code: Tensor) -> Tensor:
        """[B, code_dim] → [B, 3, size, size] in [-1, 1]."""
        first = self.spread(code).reshape(-1, WIDTH, self.start, self.start)
        return torch.tanh(self.norm(self.image(self.blocks(first))))


Progress = Callable[[int, int], None]


class IobConfig(Config):
    """The settings of vios-s/CSDisentanglement_Metrics_Library, and ours: seeds, how often everything is
    trained anew, so that the spread can be told; train_share of the clips, the test pictures coming from the
    others; both_ends, whether decoders without the last normalisation are trained too; size, the side that
    pictures are brought to (None: as they are)."""

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
