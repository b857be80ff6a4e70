"""What a run needs to go on: weights, optimiser moments and the step, written whole or not at all."""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from dpa.models.atomic import sync_folder, write_bytes, write_json
from dpa.models.errors import InputError
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.training.checkpoint import WEIGHTS, read_network, save_network

KEPT = 2


class NothingToResume(InputError):
    """`--resume` names a folder without a complete checkpoint."""


class RunTrained(InputError):
    """A new training into the folder of another one, whose network it would replace."""

    def __init__(self, run: Path) -> None:
        super().__init__(
            f"{run}: a training run is there already",
            "a new folder for a new training",
            "go on with it by --resume, name another --out, or remove this one first",
        )


def checkpoints(run: Path) -> list[Path]:
    """Complete checkpoints, oldest first."""
    return sorted(path for path in (run / "checkpoints").glob("step-*") if path.suffix != ".partial")


def save_state(
    run: Path,
    step: int,
    network: DisentangledNetwork,
    extra: nn.Module | None,
    optimisers: dict[str, torch.optim.Optimizer],
    training: dict[str, object],
) -> Path:
    """Writes checkpoints/step-NNNNNNNN under a temporary name, renames it, and drops old ones."""
    final = run / "checkpoints" / f"step-{step:08d}"
    partial = final.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    save_network(network, partial, training)
    moments = {
        f"{name}.{index}.{key}": value.contiguous()
        for name, optimiser in optimisers.items()
        for index, slot in optimiser.state_dict()["state"].items()
        for key, value in slot.items()
    }
    write_bytes(partial / "optimiser.safetensors", save(moments))
    if extra is not None:
        write_bytes(partial / "extra.safetensors", save(dict(extra.state_dict())))
    write_json(partial / "state.json", {"step": step})
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
    sync_folder(final.parent)
    for old in checkpoints(run)[:-KEPT]:
        shutil.rmtree(old)
    return final


def load_state(
    run: Path,
    network: DisentangledNetwork,
    extra: nn.Module | None,
    optimisers: dict[str, torch.optim.Optimizer],
) -> int:
    """Fills network and optimisers from the newest checkpoint; returns its step. Raises NothingToResume."""
    found = checkpoints(run)
    if not found:
        raise NothingToResume(
            f"{run}: no complete checkpoint", "a run of `dpa-engine train`", "start it without --resume"
        )
    folder = found[-1]
    network.load_state_dict(read_network(folder).state_dict())
    network.train()
    if extra is not None:
        extra.load_state_dict(load_file(folder / "extra.safetensors"))
    moments = load_file(folder / "optimiser.safetensors")
    for name, optimiser in optimisers.items():
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in moments.items():
            owner, index, slot = key.split(".", 2)
            if owner == name:
                state.setdefault(int(index), {})[slot] = value
        optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
    return int(json.loads((folder / "state.json").read_text())["step"])


def newest_weights(run: Path) -> Path | None:
    """The newest checkpoint's weights, or None before the first one."""
    found = checkpoints(run)
    return found[-1] / WEIGHTS if found else None
