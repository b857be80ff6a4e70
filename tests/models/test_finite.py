"""Numbers that are none are refused in weights, counted in outputs, and part of no mean."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from dpa.models.data.store import PackedStore
from dpa.models.finite import NonFiniteOutputs, NonFiniteWeights, finite_rows, require_finite
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.networks.config import NetworkConfig
from dpa.models.networks.regressor import Regressor
from dpa.models.training.checkpoint import WEIGHTS, load_network, read_network, save_network
from dpa.models.training.regressor_fit import RegressorConfig, fit_on_store
from dpa.models.training.validation import validate


@pytest.fixture
def network(tiny_config: NetworkConfig) -> DisentangledNetwork:
    torch.manual_seed(0)
    made = DisentangledNetwork(tiny_config, "nsd")
    made.regressor = Regressor(tiny_config)
    return made.eval()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("part", ["regressor", "decoder", "localiser"])
def test_weights_that_are_no_numbers_are_refused_by_the_tensor(
    network: DisentangledNetwork, tmp_path: Path, part: str, value: float
) -> None:
    save_network(network, tmp_path, {})
    weights = load_file(tmp_path / WEIGHTS)
    name = next(name for name, one in weights.items() if name.startswith(part) and one.dim() > 1)
    weights[name].view(-1)[3] = value
    save_file(weights, tmp_path / WEIGHTS)
    with pytest.raises(NonFiniteWeights, match=rf"{name} \(1 of {weights[name].numel():,}\)"):
        read_network(tmp_path)


def test_so_are_those_of_a_network_that_a_module_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_network.py").write_text(
        "import torch\nfrom dpa.engine import load_network\n"
        "def load():\n"
        "    network = load_network('zoo:nsd')\n"
        "    next(network.regressor.parameters()).view(-1)[0] = float('nan')\n"
        "    return network\n"
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NonFiniteWeights, match=r"broken_network:load.*regressor"):
        load_network("broken_network:load")


class Sometimes(nn.Module):
    """A part whose output is not finite for every third sample that it sees."""

    def __init__(self, part: nn.Module, of: int | None = None) -> None:
        super().__init__()
        self.part, self.of, self.seen = part, of, 0

    def forward(self, *given: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        made = self.part(*given)
        broken = made if self.of is None else made[self.of]
        rows = torch.arange(self.seen, self.seen + len(broken)) % 3 == 0
        self.seen += len(broken)
        broken[rows] = torch.nan
        return made


@pytest.mark.parametrize(("part", "of"), [("regressor", None), ("decoder", 0), ("localiser", None)])
def test_a_mean_is_of_the_sound_samples_alone(
    network: DisentangledNetwork, squares: PackedStore, part: str, of: int | None
) -> None:
    rows = np.arange(12)
    alone = validate(network, squares, rows)
    setattr(network, part, Sometimes(getattr(network, part), of))
    mixed = validate(network, squares, rows)
    assert mixed.nonfinite == 4
    with pytest.raises(NonFiniteOutputs, match="4 of 12"):
        mixed.require_sound()
    sound = rows % 3 != 0
    assert alone.mpjpe_mm is not None
    assert mixed.summary()["mpjpe_mm"] == pytest.approx(alone.mpjpe_mm[sound].mean(), rel=1e-6)
    assert mixed.summary().keys() == alone.summary().keys()


def test_a_network_of_no_finite_output_has_no_summary(
    network: DisentangledNetwork, squares: PackedStore
) -> None:
    class Never(nn.Module):
        def forward(self, codes: torch.Tensor) -> torch.Tensor:
            return torch.full((len(codes), 17, 3), torch.nan)

    network.regressor = Never()  # type: ignore[assignment]
    measured = validate(network, squares, np.arange(5))
    with pytest.raises(NonFiniteOutputs, match="5 of 5"):
        measured.summary()


def test_no_regressor_is_fitted_to_codes_that_are_no_numbers(
    network: DisentangledNetwork, squares: PackedStore, tmp_path: Path
) -> None:
    network.regressor = None
    save_network(network, tmp_path, {"held_out": 0.2, "seed": 0})
    before = (tmp_path / WEIGHTS).read_bytes()
    network.encoder = Sometimes(network.encoder, 1)  # type: ignore[assignment]
    with pytest.raises(NonFiniteOutputs, match="pose codes"):
        fit_on_store(network, tmp_path, squares, RegressorConfig(fraction=1.0, steps=2), lambda *_: None)
    assert (tmp_path / WEIGHTS).read_bytes() == before


def test_rows_are_found_by_every_entry_of_theirs() -> None:
    poses = np.zeros((3, 17, 3))
    poses[1, 16, 2] = np.inf
    assert finite_rows(poses, np.array([1.0, 2, np.nan])).tolist() == [True, False, False]
    require_finite("x", torch.zeros(3, 2))
    with pytest.raises(NonFiniteOutputs, match="1 of 3"):
        require_finite("x", torch.from_numpy(poses))
