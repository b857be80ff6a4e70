"""Checkpoints: `model.safetensors` + `config.yaml`, and beside them what a stopped run needs to go on. No
pickle anywhere."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from dpa import __version__
from dpa.models.atomic import sync_folder, write_bytes, write_json, write_text
from dpa.models.config import Config
from dpa.models.documents import BadDocument, read_json, read_yaml, yaml_text
from dpa.models.errors import InputError
from dpa.models.finite import require_finite_weights
from dpa.models.frameworks import make_network
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.foreign import is_foreign, load_foreign
from dpa.models.networks.config import NetworkConfig
from dpa.models.networks.regressor import Regressor

WEIGHTS, CONFIG = "model.safetensors", "config.yaml"
ZOO = Path(__file__).parents[1] / "zoo"


class NotANetwork(InputError):
    """A name or a folder that holds no trained network."""


class BrokenCheckpoint(InputError):
    """A checkpoint whose files do not fit together."""


class CheckpointConfig(Config):
    """What `config.yaml` says beside the weights. `training`: how they came about, for the reader."""

    framework: str
    network: NetworkConfig
    version: str = __version__
    regressor: bool = False
    training: dict[str, object] = Field(default_factory=dict)


def save_network(
    network: DisentangledNetwork, folder: Path, training: dict[str, object], half: bool = False
) -> None:
    """Writes both files, each atomically. `half` stores matrices and convolutions in fp16, as the zoo does;
    vectors (biases, batch statistics) stay fp32."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: _stored(value, half) for name, value in network.state_dict().items()}
    config = CheckpointConfig(
        framework=network.framework,
        network=network.config,
        regressor=network.regressor is not None,
        training=training,
    )
    write_bytes(folder / WEIGHTS, save(state))
    write_text(folder / CONFIG, yaml_text(config.model_dump(mode="json")))


def _stored(value: Tensor, half: bool) -> Tensor:
    shrink = half and value.dim() > 1 and value.is_floating_point()
    return value.detach().to("cpu", torch.float16 if shrink else value.dtype).contiguous()


def read_config(folder: Path) -> CheckpointConfig:
    """Raises NotANetwork where there is none, BrokenCheckpoint where it cannot be read."""
    path = folder / CONFIG
    if not path.is_file() or not (folder / WEIGHTS).is_file():
        raise NotANetwork(
            f"{folder}: no trained network there",
            f"a folder with {WEIGHTS} and {CONFIG}",
            f"name a run of `dpa-engine train`, or one of {', '.join(zoo_names())}",
        )
    try:
        return CheckpointConfig.model_validate(read_yaml(path))
    except (OSError, BadDocument, ValidationError) as error:
        raise BrokenCheckpoint(
            f"{path}: {str(error).splitlines()[0]}",
            "a checkpoint's configuration",
            "restore it or train again",
        ) from error


def read_network(folder: Path) -> DisentangledNetwork:
    """The network of a checkpoint, in fp32 and eval mode. Raises NotANetwork, BrokenCheckpoint,
    NonFiniteWeights."""
    config = read_config(folder)
    _require_fitting(folder / WEIGHTS, config)
    network = _blank(config)
    try:
        state = {name: value.float() for name, value in load_file(folder / WEIGHTS).items()}
        network.load_state_dict(state)
    except (SafetensorError, RuntimeError) as error:
        raise _unfitting(folder / WEIGHTS, str(error).splitlines()[0]) from error
    require_finite_weights(str(folder / WEIGHTS), network.state_dict().items())
    network.source = folder
    return network.eval()


def _blank(config: CheckpointConfig) -> DisentangledNetwork:
    network = make_network(config.network, config.framework)
    if config.regressor:
        network.regressor = Regressor(config.network)
    return network


def _require_fitting(path: Path, config: CheckpointConfig) -> None:
    """Raises BrokenCheckpoint before any memory is taken: names and shapes stand in the file's header."""
    try:
        with torch.device("meta"):
            wanted = {name: tuple(value.shape) for name, value in _blank(config).state_dict().items()}
        with safe_open(path, "pt") as file:
            found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise _unfitting(path, str(error).splitlines()[0]) from error
    for name in {**wanted, **found}:
        if wanted.get(name) != found.get(name):
            one, other = (list(side[name]) if name in side else "absent" for side in (found, wanted))
            raise _unfitting(path, f"{name} is {one}, and {other} by config.yaml")


def _unfitting(path: Path, found: str) -> BrokenCheckpoint:
    return BrokenCheckpoint(
        f"{path}: {found}",
        "the weights that its config.yaml describes",
        "restore the file or train again",
    )


def zoo_names() -> list[str]:
    """The bundled networks, as they are named on the command line."""
    return sorted(f"zoo:{path.parent.name}" for path in ZOO.glob(f"*/{WEIGHTS}"))


def network_folder(spec: str) -> Path:
    """`zoo:NAME` or a run directory → the folder of its checkpoint. Raises NotANetwork."""
    if not spec.startswith("zoo:"):
        return Path(spec)
    folder = ZOO / spec.removeprefix("zoo:")
    if not (folder / WEIGHTS).is_file():
        raise NotANetwork(
            f"{spec}: not in the zoo",
            f"one of {', '.join(zoo_names())}",
            "choose one of them, or a run directory",
        )
    return folder


def load_network(spec: str) -> DisentangledNetwork:
    """A trained network by name, in eval mode and frozen: `zoo:NAME`, a run directory, a framework of the
    user's own as `my_module:load`, or the file of a compiled program. Raises NotANetwork, BrokenCheckpoint,
    NoSuchFramework, NotAFramework, NotAPoseProgram, UntrustedCode, NonFiniteWeights."""
    if is_foreign(spec):
        network = load_foreign(spec).eval()
        require_finite_weights(spec, network.state_dict().items())
    else:
        network = read_network(network_folder(spec))
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return network


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


@dataclass(frozen=True)
class Reached:
    """How far a training is: steps taken, and seconds that they took."""

    step: int = 0
    seconds: float = 0.0


def save_state(
    run: Path,
    reached: Reached,
    network: DisentangledNetwork,
    rivals: Mapping[str, nn.Module],
    optimisers: Mapping[str, torch.optim.Optimizer],
    training: dict[str, object],
) -> Path:
    """Writes checkpoints/step-NNNNNNNN under a temporary name, renames it, and drops old ones. rivals: the
    networks that train against it, by the name of their file."""
    final = run / "checkpoints" / f"step-{reached.step:08d}"
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
    for name, rival in rivals.items():
        weights = {key: value.contiguous() for key, value in rival.state_dict().items()}
        write_bytes(partial / f"{name}.safetensors", save(weights))
    write_json(partial / "state.json", {"step": reached.step, "seconds": reached.seconds})
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
    sync_folder(final.parent)
    for old in checkpoints(run)[:-KEPT]:
        shutil.rmtree(old)
    return final


def load_state(
    run: Path,
    network: DisentangledNetwork,
    rivals: Mapping[str, nn.Module],
    optimisers: Mapping[str, torch.optim.Optimizer],
) -> Reached:
    """Fills networks and optimisers from the newest checkpoint; returns how far it is. Raises
    NothingToResume."""
    found = checkpoints(run)
    if not found:
        raise NothingToResume(
            f"{run}: no complete checkpoint", "a run of `dpa-engine train`", "start it without --resume"
        )
    folder = found[-1]
    network.load_state_dict(read_network(folder).state_dict())
    network.train()
    for name, rival in rivals.items():
        rival.load_state_dict(load_file(folder / f"{name}.safetensors"))
    moments = load_file(folder / "optimiser.safetensors")
    for name, optimiser in optimisers.items():
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in moments.items():
            owner, index, slot = key.split(".", 2)
            if owner == name:
                state.setdefault(int(index), {})[slot] = value
        optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
    state_file = read_json(folder / "state.json")
    return Reached(int(state_file["step"]), float(state_file.get("seconds", 0)))


def newest_weights(run: Path) -> Path | None:
    """The newest checkpoint's weights, or None before the first one."""
    found = checkpoints(run)
    return found[-1] / WEIGHTS if found else None
