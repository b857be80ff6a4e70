"""An attack that can be watched: the same few samples with a growing limit of updates."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dpa.engine.attack.algorithm import appearance_attack
from dpa.engine.attack.config import AttackConfig
from dpa.engine.attack.preparation import InitialPose
from dpa.engine.attack.samples import to_numpy, to_pictures
from dpa.engine.reproduce.stage import Report
from dpa.models.data.store import PackedStore
from dpa.models.frameworks.base import DisentangledNetwork

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
    device = next(network.parameters()).device
    frames, plates = store.frames_at(rows).to(device), store.plates_tensor().to(device)
    plate_index = torch.from_numpy(store.plate[rows]).to(device)
    steps = limits_until(int(samples["iterations"].max()))
    results = []
    for number, limit in enumerate(steps):
        limited = config.model_copy(update={"max_steps": limit})
        results.append(
            appearance_attack(
                network, network, frames, plates, plate_index, limited, initial_pose=initial_pose
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
