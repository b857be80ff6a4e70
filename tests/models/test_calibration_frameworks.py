"""The calibration's networks: what cannot reach what, and what is drawn from what."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dpa.engine.attack.algorithm import appearance_attack
from dpa.engine.attack.config import AttackConfig
from dpa.kernels import composite_crop
from dpa.models.data.contract import COLUMNS
from dpa.models.data.store import PackedStore
from dpa.models.data.synthetic.config import SynthConfig
from dpa.models.data.synthetic.generate import generate, generate_redressed
from dpa.models.errors import InputError
from dpa.models.frameworks import make_network, make_objective
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.objective import RedressedMoments
from dpa.models.frameworks.oracle_swap import disagreement
from dpa.models.frameworks.silhouette import SilhouetteNetwork
from dpa.models.networks.config import NetworkConfig
from dpa.models.networks.regressor import Regressor
from dpa.models.training.batches import BatchSource
from dpa.models.training.checkpoint import load_network
from dpa.models.training.config import TrainConfig
from dpa.models.training.loop import Trainer

CPU = torch.device("cpu")
WHOLE = torch.tensor([[1.0, 1.0, 0.0, 0.0]])
OUTFITS = ("S1", "S5", "S8")
FEW = SynthConfig(
    subjects=("S1", "S6"), actions=("Walking",), clips=1, frames=3, fps=2, size=32, seed=4, workers=1
)


@pytest.fixture(scope="module")
def redressed(tmp_path_factory: pytest.TempPathFactory) -> PackedStore:
    return generate_redressed(FEW, OUTFITS, tmp_path_factory.mktemp("people") / "redressed")


def readable(config: NetworkConfig, framework: str) -> DisentangledNetwork:
    """A random network whose pose depends on what it sees, its localiser included; in eval mode."""
    torch.manual_seed(0)
    network = make_network(config, framework)
    network.regressor = Regressor(config)
    network.regressor.std.fill_(3000)
    torch.nn.init.normal_(network.localiser.readout.weight, std=0.2)
    return network.eval().requires_grad_(False)


def pose_of_own_picture(network: DisentangledNetwork, h_a: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
    """φ(E(S(composite(D(h_a, h_p), M⁰, B)))) as the attack has it, and the colours that were painted."""
    plates = torch.rand(1, 3, 24, 28, generator=torch.Generator().manual_seed(2))
    box, first = torch.tensor([[0.6, 0.7, 0.1, 0.0]]), torch.zeros(1, dtype=torch.int64)
    mask = network.decode(torch.zeros_like(h_a), codes)[1].detach()
    rgb = network.decode(h_a, codes)[0].clamp(0, 1)

    def seen(at: Tensor, size: int) -> Tensor:
        return composite_crop(rgb, mask, box, plates, first, at, size)

    found = network.localise_thumbnails(seen(WHOLE, network.localiser_size))
    return network.regress(network.encode(seen(found, network.crop_size))[1]), rgb


@pytest.mark.parametrize(("framework", "reached"), [("silhouette", False), ("entangled", True)])
def test_whether_appearance_reaches_the_pose(
    framework: str, reached: bool, tiny_config: NetworkConfig
) -> None:
    network = readable(tiny_config, framework)
    h_a = torch.zeros(1, 4, requires_grad=True)
    codes = torch.randn(1, 12, generator=torch.Generator().manual_seed(1))
    pose, rgb = pose_of_own_picture(network, h_a, codes)
    weights = torch.rand(pose.shape, generator=torch.Generator().manual_seed(3))
    (gradient,) = torch.autograd.grad((pose * weights).sum(), h_a, allow_unused=True)
    assert (gradient is not None and bool(gradient.any())) is reached
    with torch.no_grad():
        for step in (1.0, -30.0):  # however far the code goes
            moved, painted = pose_of_own_picture(network, torch.full((1, 4), step), codes)
            assert not torch.equal(painted, rgb)
            assert torch.equal(moved, pose) is not reached


def test_the_attack_never_succeeds_on_a_silhouette(tiny_config: NetworkConfig, squares: PackedStore) -> None:
    network = readable(tiny_config, "silhouette")
    rows = np.arange(4)
    result = appearance_attack(
        network,
        network,
        squares.frames_at(rows),
        squares.plates_tensor(),
        torch.from_numpy(squares.plate[rows]),
        AttackConfig(max_steps=5, min_error_mm=1e6, step_size=5.0, backend="fused"),
    )
    assert torch.equal(result.final_error_mm, result.initial_error_mm) and not result.success.any()


def test_the_silhouettes_pose_ignores_red_and_green(tiny_config: NetworkConfig) -> None:
    network = readable(tiny_config, "silhouette")
    frames = torch.rand(2, 3, 24, 24)
    recoloured = torch.cat([torch.rand(2, 2, 24, 24), frames[:, 2:]], dim=1)
    assert torch.equal(network.predict(frames), network.predict(recoloured))


def test_the_silhouettes_mask_ignores_the_appearance_code(tiny_config: NetworkConfig) -> None:
    network = readable(tiny_config, "silhouette")
    codes = torch.randn(3, 12)
    one, other = (network.decode(torch.randn(3, 4), codes) for _ in range(2))
    assert torch.equal(one[1], other[1]) and torch.equal(one[0][:, 2], other[0][:, 2])
    assert not torch.equal(one[0][:, :2], other[0][:, :2])


@pytest.mark.parametrize("framework", ["silhouette", "entangled", "oracle-swap"])
def test_a_few_steps_train_every_part_and_the_checkpoint_is_read_back(
    framework: str,
    redressed: PackedStore,
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
    trainer = Trainer(config, redressed, tmp_path, CPU)
    before = [parameter.clone() for parameter in trainer.network.parameters()]
    trainer.fit(False, lambda progress: None)
    moved = [bool((a != b).any()) for a, b in zip(before, trainer.network.parameters(), strict=True)]
    assert all(moved)
    again = load_network(str(tmp_path))
    assert type(again) is (SilhouetteNetwork if framework == "silhouette" else DisentangledNetwork)
    crops = torch.rand(2, 3, 16, 16)
    for one, other in zip(again.encode(crops), trainer.network.encode(crops), strict=True):
        torch.testing.assert_close(one, other)


def test_the_segmenter_learns_silhouettes(squares: PackedStore, tiny_config: NetworkConfig) -> None:
    torch.manual_seed(0)
    network = make_network(tiny_config, "silhouette")
    objective = make_objective(TrainConfig(framework="silhouette"), 12)
    batch = BatchSource(squares, CPU).batch(np.arange(12))
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    costs = []
    for _ in range(25):
        outcome = objective.forward(network, batch)
        costs.append(outcome.terms["segmentation"].item())
        optimiser.zero_grad()
        outcome.total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    # soft silhouettes have an entropy of their own, below which no segmenter gets
    assert costs[-1] < 0.7 * costs[0]


def test_re_dressed_rows_are_the_renderings_in_each_outfit(redressed: PackedStore, tmp_path: Path) -> None:
    assert len(redressed) == 2 * 3 * 4 * len(OUTFITS)
    alone = generate(FEW.model_copy(update={"outfit": "S8"}), tmp_path / "alone")
    rows = np.flatnonzero(redressed.outfit == "S8")
    np.testing.assert_array_equal(redressed.frames[rows], alone.frames)
    np.testing.assert_array_equal(redressed.plates[redressed.plate[rows]], alone.plates[alone.plate])
    np.testing.assert_array_equal(redressed.silhouettes(rows), alone.silhouettes(np.arange(len(alone))))
    for name in set(COLUMNS.names or ()) - {"plate"}:
        np.testing.assert_array_equal(getattr(redressed, name)[rows], getattr(alone, name))


def test_groups_are_two_moments_in_two_outfits(redressed: PackedStore) -> None:
    store = redressed
    rows = RedressedMoments(store, np.arange(len(store)))(32, np.random.default_rng(0)).reshape(-1, 2, 2)
    for group in rows:
        assert len({int(store.sequence[row]) for row in group.ravel()}) == 1
        for pair in group:  # one moment
            assert store.frame[pair[0]] == store.frame[pair[1]]
            assert store.camera[pair[0]] == store.camera[pair[1]]
        assert len({(int(store.frame[row]), int(store.camera[row])) for row in group[:, 0]}) == 2
        assert (store.outfit[group[0]] == store.outfit[group[1]]).all()
        assert store.outfit[group[0, 0]] != store.outfit[group[0, 1]]


def test_data_in_one_outfit_are_refused(squares: PackedStore) -> None:
    with pytest.raises(InputError, match="two moments in two outfits"):
        RedressedMoments(squares, np.arange(len(squares)))


def test_the_oracle_draws_from_the_other_outfit_and_the_other_moment(
    redressed: PackedStore, tiny_config: NetworkConfig
) -> None:
    network = make_network(tiny_config, "oracle-swap")
    drawn: dict[str, Tensor] = {}
    number = torch.arange(8.0)[:, None]
    network.encode = lambda crops: (number.expand(8, 4), number.expand(8, 12))  # type: ignore[method-assign]

    def decode(h_a: Tensor, h_p: Tensor) -> tuple[Tensor, Tensor]:
        drawn.update(appearance=h_a[:, 0], pose=h_p[:, 0])
        return torch.zeros(8, 3, 16, 16), torch.zeros(8, 1, 16, 16)

    network.decode = decode  # type: ignore[method-assign]
    objective = make_objective(TrainConfig(framework="oracle-swap"), 12)
    objective.forward(network, BatchSource(redressed, CPU).batch(np.arange(8)))
    assert drawn["pose"].tolist() == [1, 0, 3, 2, 5, 4, 7, 6]  # same moment, other outfit
    assert drawn["appearance"].tolist() == [2, 3, 0, 1, 6, 7, 4, 5]  # same outfit, other moment


def test_disagreement_knows_no_unit() -> None:
    same = torch.tensor([1, 0, 3, 2])
    agree = torch.tensor([[1.0, 5.0], [1.0, 5.0], [3.0, -1.0], [3.0, -1.0]])
    assert disagreement(agree, same) == 0
    mixed = torch.tensor([[0.0], [2.0], [0.0], [2.0]])  # mean square 4 over variance 4/3
    assert disagreement(mixed, same).item() == pytest.approx(3, rel=1e-4)
    assert disagreement(1000 * mixed, same).item() == pytest.approx(3, rel=1e-4)


def test_no_inflated_direction_hides_disagreement() -> None:
    """64 directions that have nothing to do with each other, and one that agrees, a thousand times as wide:
    all but a ten-thousandth of the variance agrees, and one direction in 65."""
    draws = torch.Generator().manual_seed(0)
    code = torch.randn(512, 65, generator=draws, dtype=torch.float64)
    same = torch.arange(512) ^ 1
    code[:, 0] = 1000 * code[same, 0].add(code[:, 0])
    assert disagreement(code, same).item() == pytest.approx(2 * 64 / 65, rel=0.03)
    plain = (code - code[same]).square().mean() / code.var(dim=0).mean()
    assert plain < 0.01
