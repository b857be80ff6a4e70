"""Fits the read-out of the witness on features of a frozen trunk: minutes on a CPU, where training all of it
takes a GPU. Each labelled frame is seen in several crops, each changed in its own way."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from dpa.models.config import Config
from dpa.models.data.store import PackedStore
from dpa.models.frameworks.objective import LabelledBatch
from dpa.models.frameworks.witness import Reader, Witness, WitnessNetwork
from dpa.models.training.batches import BatchSource, step_generator
from dpa.models.training.phases import cosine


class ReaderConfig(Config):
    """crops: of each frame. The rest as a regressor's fit has it; all the project's choice."""

    crops: int = Field(8, ge=1, description="crops of each labelled frame, all of them changed")
    steps: int = Field(3000, ge=1)
    batch: int = Field(512, ge=2)
    learning_rate: float = Field(1e-3, gt=0)
    seed: int = 0


@dataclass(frozen=True)
class Features:
    """What the trunk sees in n crops. seen: [n, F] float16; pose: [n, 17, 3] mm; hidden: [n, 4] bool, which
    limbs are lost."""

    seen: Tensor
    pose: Tensor
    hidden: Tensor


def read_features(
    network: WitnessNetwork,
    objective: Witness,
    store: PackedStore,
    rows: NDArray[np.int64],
    config: ReaderConfig,
    report: Callable[[int], None],
) -> Features:
    """`config.crops` crops of each row, through the frozen trunk in eval mode. report: crops done."""
    device = next(network.parameters()).device
    source = BatchSource(store, device, labelled=True)
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    network.eval()
    for turn in range(config.crops):
        for start in range(0, len(rows), 64):
            torch.manual_seed(config.seed * 1_000_003 + turn * len(rows) + start)
            batch = cast(LabelledBatch, source.batch(rows[start : start + 64]))
            with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
                inputs, hidden = objective.changed(network, batch)
                seen = cast(Reader, network.encoder).features(inputs)
            parts.append((seen.half().cpu(), batch.pose.cpu(), hidden.cpu()))
            report(turn * len(rows) + start + len(batch))
    seen, pose, hidden = (torch.cat(one) for one in zip(*parts, strict=True))
    return Features(seen, pose, hidden)


def fit_reader(
    network: WitnessNetwork,
    objective: Witness,
    features: Features,
    config: ReaderConfig,
    report: Callable[[int, float], None],
) -> None:
    """Trains the head on the objective's loss and leaves the network in eval mode. report: step, loss."""
    torch.manual_seed(config.seed)
    head = cast(Reader, network.encoder).head.train()
    optimiser = torch.optim.Adam(head.parameters(), config.learning_rate)
    count = len(features.pose)
    for step in range(config.steps):
        optimiser.param_groups[0]["lr"] = config.learning_rate * cosine(step, config.steps)
        picked = torch.from_numpy(step_generator(config.seed, step).integers(count, size=config.batch))
        read = head(features.seen[picked].float())
        terms = objective.reading(network, read, features.pose[picked], features.hidden[picked])
        loss = torch.stack(list(terms.values())).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if (step + 1) % 100 == 0 or step + 1 == config.steps:
            report(step + 1, float(100 * terms["pose"].detach()))
    network.eval()
