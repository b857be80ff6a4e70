"""CSSL and DRNet: batches, terms and the discriminator's step, against closed forms."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from dpa.models.data.store import PackedStore
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.cssl import CSSL, CSSLWeights, code_distance, target_distance
from dpa.models.frameworks.drnet import DRNet
from dpa.models.frameworks.objective import VideoPairs
from dpa.models.networks.config import NetworkConfig
from dpa.models.training.batches import BatchSource
from dpa.models.training.config import TrainConfig
from dpa.models.training.loop import Trainer

CPU = torch.device("cpu")


def test_pairs_are_two_instants_of_one_video(squares: PackedStore) -> None:
    rows = VideoPairs(squares, np.arange(len(squares)))(64, np.random.default_rng(0)).reshape(-1, 2)
    for first, second in rows:
        assert squares.sequence[first] == squares.sequence[second]
        assert squares.camera[first] == squares.camera[second]
        assert squares.frame[first] != squares.frame[second]


def test_distance_of_codes_and_its_gradient_where_they_are_equal() -> None:
    first = torch.tensor([[0.0, 0.0], [1.0, 1.0]], requires_grad=True)
    second = torch.tensor([[3.0, 4.0], [1.0, 1.0]])
    distance = code_distance(first, second)
    assert distance[0].item() == pytest.approx(math.sqrt(12.5)) and distance[1] < 1e-3
    distance.sum().backward()
    assert first.grad is not None and torch.isfinite(first.grad).all()


def test_wanted_distance_grows_with_the_gap_and_saturates() -> None:
    weights = CSSLWeights(spread=2.0, tau_s=0.5)
    wanted = target_distance(torch.tensor([0.0, 0.5, 100.0]), weights)
    torch.testing.assert_close(wanted, torch.tensor([0.0, 2 * (1 - math.exp(-1)), 2.0]))


@pytest.mark.parametrize("framework", ["cssl", "drnet"])
def test_a_few_steps_train_every_part(
    framework: str,
    squares: PackedStore,
    tiny_config: NetworkConfig,
    tmp_path: Path,
) -> None:
    config = TrainConfig.model_validate(
        {
            "framework": framework,
            "sizes": tiny_config,
            "steps": 3,
            "batch": 8,
            "localiser_start": 1,
            "warm_up": 0,
        }
    )
    trainer = Trainer(config, squares, tmp_path, CPU)
    modules = [trainer.network, *trainer.rivals.values()]
    before = [parameter.clone() for module in modules for parameter in module.parameters()]
    trainer.fit(False, lambda progress: None)
    after = [parameter for module in modules for parameter in module.parameters()]
    assert all((a != b).any() for a, b in zip(before, after, strict=True))


def test_the_discriminator_learns_to_tell_people_apart(
    squares: PackedStore, tiny_config: NetworkConfig
) -> None:
    torch.manual_seed(0)
    objective = DRNet(tiny_config.pose_dim)
    network = DisentangledNetwork(tiny_config, "drnet").eval()
    rows = VideoPairs(squares, np.arange(len(squares)))(64, np.random.default_rng(1))
    batch = BatchSource(squares, CPU).batch(rows)

    def codes(crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """A pose code that gives the person away."""
        h_p = batch.subject[:, None].float().expand(-1, tiny_config.pose_dim) - 0.5
        return torch.zeros(len(crops), 4), h_p + 0.01 * torch.randn_like(h_p)

    network.encode = codes  # type: ignore[method-assign, assignment]
    optimiser = torch.optim.Adam(objective.discriminator.parameters(), 1e-2)
    losses = []
    for _ in range(150):
        loss = objective.auxiliary_loss(network, batch)
        assert loss is not None
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(math.log(2), abs=0.1) and losses[-1] < 0.05


def test_an_undecided_discriminator_costs_the_entropy_of_a_coin(
    squares: PackedStore, tiny_config: NetworkConfig
) -> None:
    objective = DRNet(tiny_config.pose_dim)
    torch.nn.init.zeros_(objective.discriminator.layers[-1].weight)
    torch.nn.init.zeros_(objective.discriminator.layers[-1].bias)
    batch = BatchSource(squares, CPU).batch(np.arange(8))
    terms = objective.forward(DisentangledNetwork(tiny_config, "drnet"), batch).terms
    expected = objective.disentangling.adversarial * math.log(2)
    assert terms["adversarial"].item() == pytest.approx(expected, rel=1e-5)


def test_appearance_is_exchanged_within_the_pair(squares: PackedStore, tiny_config: NetworkConfig) -> None:
    network = DisentangledNetwork(tiny_config, "cssl").eval()
    seen: dict[str, torch.Tensor] = {}
    h_a = torch.arange(8.0)[:, None].expand(8, 4)
    h_p = torch.arange(8.0)[:, None].expand(8, 12)
    network.encode = lambda crops: (h_a, h_p)  # type: ignore[method-assign, assignment]

    def decode(appearance: torch.Tensor, pose: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen.update(appearance=appearance, pose=pose)
        return torch.zeros(8, 3, 16, 16), torch.zeros(8, 1, 16, 16)

    network.decode = decode  # type: ignore[method-assign, assignment]
    CSSL().forward(network, BatchSource(squares, CPU).batch(np.arange(8)))
    assert seen["appearance"][:, 0].tolist() == [1, 0, 3, 2, 5, 4, 7, 6]
    assert seen["pose"][:, 0].tolist() == list(range(8))
