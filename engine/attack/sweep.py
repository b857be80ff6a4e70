"""What a step size costs: success and iterations on one side, change of the picture on the other."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from dpa.engine.attack.algorithm import appearance_attack
from dpa.engine.attack.config import AttackConfig, OptimiserName
from dpa.engine.attack.run import Networks
from dpa.engine.attack.samples import sample_columns
from dpa.engine.attack.summary import finite_mean
from dpa.models.data.store import PackedStore

STEP_SIZES: dict[OptimiserName, tuple[float, ...]] = {
    "adam": (0.1, 0.25, 0.5, 1.0, 2.0),
    "sgd": (0.25, 0.5, 1.0, 2.0, 4.0),
    "sign": (0.05, 0.1, 0.25, 0.5, 1.0),
    "polyak": (1.0, 2.0, 3.0, 4.0, 6.0),
}
"""Tried by default, around each optimiser's default step size."""


def sweep_step_sizes(
    networks: Networks,
    store: PackedStore,
    rows: NDArray[np.int64],
    config: AttackConfig,
    step_sizes: Sequence[float],
) -> list[dict[str, float | None]]:
    """The attack on the frames `rows` at each step size, which all must fit into memory.

    Each entry: step_size, success_rate, p50 and p90 iterations, final_mm, psnr_db of the frame and
    box_psnr_db inside the person's box, samples_per_s.
    """
    device = networks.device
    frames, plates = store.frames_at(rows).to(device), store.plates_tensor().to(device)
    plate_index = torch.from_numpy(store.plate[rows]).to(device)
    entries: list[dict[str, float | None]] = []
    for step_size in step_sizes:
        tried = config.model_copy(update={"step_size": step_size})
        started = time.perf_counter()
        result = appearance_attack(networks.generator, networks.target, frames, plates, plate_index, tried)
        seconds = time.perf_counter() - started
        columns = sample_columns(replace(result, index=torch.from_numpy(rows)), store)
        iterations = columns["iterations"].astype(float)
        entries.append(
            {
                "step_size": step_size,
                "success_rate": finite_mean(columns["success"]),
                "p50": float(np.percentile(iterations, 50)),
                "p90": float(np.percentile(iterations, 90)),
                "final_mm": finite_mean(columns["final_error_mm"]),
                "psnr_db": finite_mean(columns["psnr_db"]),
                "box_psnr_db": finite_mean(columns["box_psnr_db"]),
                "samples_per_s": len(rows) / seconds,
            }
        )
    return entries
