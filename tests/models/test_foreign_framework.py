"""A framework of the user's own behind the project's interface, and everything that is refused there."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from dpa.models.frameworks.base import NoRegressor
from dpa.models.frameworks.foreign import (
    ForeignNetwork,
    NoSuchFramework,
    NoSuchPart,
    NotAFramework,
    is_foreign,
)
from dpa.models.frameworks.program import (
    NoGradient,
    NotAPoseProgram,
    ProgramNetwork,
    open_program,
    require_generator,
    wrap_program,
)
from dpa.models.frameworks.protocol import Framework
from dpa.models.training.checkpoint import NotANetwork, load_network
from dpa.models.trust import UntrustedCode, trusting_code

MEAN, STD = (0.5, 0.25, 0.0), (0.5, 0.25, 2.0)


class Echo(nn.Module):
    """Codes that are the picture itself, so that what it was given and what it gave can be read off."""

    crop_size, localiser_size = 4, 6
    image_mean, image_std = MEAN, STD

    def localise(self, frames: Tensor) -> Tensor:
        return frames.mean((2, 3))[:, [0, 1, 2, 0]]

    def encode(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        return crops, crops[:, 0].mean(2)

    def decode(self, appearance: Tensor, pose: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return appearance

    def regress(self, pose: Tensor) -> Tensor:
        return pose.new_zeros(pose.shape[0], 17, 3)


class Masked(Echo):
    def decode(self, appearance: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        return appearance, appearance[:, :1] * 0 + 0.25


class Mute(Echo):
    regress = None  # type: ignore[assignment]


def broken_encoder() -> Echo:
    made = Echo()
    made.encode = lambda crops: 1 / 0  # type: ignore[method-assign]
    return made


def raises() -> Echo:
    raise RuntimeError("no weights here")


def scripted() -> torch.jit.ScriptModule:
    return torch.jit.trace(FramesToPoses(), torch.rand(2, 3, 8, 8))  # type: ignore[no-any-return, no-untyped-call]


not_callable = 3


class FramesToPoses(nn.Module):
    """Joint k lies at k times the mean of the frame in mm, on every axis."""

    def forward(self, frames: Tensor) -> Tensor:
        return frames.mean((1, 2, 3))[:, None, None] * torch.arange(17.0)[None, :, None].expand(1, 17, 3)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """This file as a module in the current folder."""
    (tmp_path / "brought_module.py").write_text(Path(__file__).read_text())
    monkeypatch.chdir(tmp_path)
    return "brought_module"


def test_it_follows_the_protocol_as_typing_sees_it() -> None:
    assert isinstance(Echo(), Framework)


def test_images_go_in_normalised_and_come_out_as_colours() -> None:
    network = ForeignNetwork(Echo(), "echo")
    crops = torch.rand(2, 3, 4, 4)
    h_a, h_p = network.encode(crops)
    mean, std = (torch.tensor(values)[None, :, None, None] for values in (MEAN, STD))
    torch.testing.assert_close(h_a.reshape(2, 3, 4, 4), (crops - mean) / std)
    assert h_a.shape == (2, 48) and h_p.shape == (2, 4)
    rgb, mask = network.decode(h_a, h_p)
    torch.testing.assert_close(rgb, crops)
    assert mask.shape == (2, 1, 4, 4) and (mask == 1).all()


def test_the_localiser_sees_the_whole_frame_normalised() -> None:
    frames = torch.tensor([0.75, 0.5, 1.0])[None, :, None, None].expand(1, 3, 10, 14)
    box = ForeignNetwork(Echo(), "echo").localise(frames)
    torch.testing.assert_close(box, torch.tensor([[0.5, 1.0, 0.5, 0.5]]))


def test_a_mask_is_kept() -> None:
    network = ForeignNetwork(Masked(), "masked")
    assert (network.decode(*network.encode(torch.rand(2, 3, 4, 4)))[1] == 0.25).all()


def test_it_arrives_frozen_in_eval_mode_on_its_device(here: str) -> None:
    network = load_network(f"{here}:Echo")
    assert not network.training and not any(p.requires_grad for p in network.parameters())
    assert next(network.parameters()).device.type == "cpu"
    assert network.framework == f"{here}:Echo" and network.source is None


def test_without_regress_a_pose_is_refused() -> None:
    network = ForeignNetwork(Mute(), "mute")
    assert not network.can_regress
    with pytest.raises(NoRegressor):
        network.predict(torch.rand(1, 3, 8, 8))


@pytest.mark.parametrize(
    ("inner", "complaint"),
    [
        (nn.Identity(), "no method localise, encode, decode"),
        (broken_encoder(), "ZeroDivisionError"),
        (type("Big", (Echo,), {"crop_size": "4"})(), "crop_size is '4'"),
    ],
)
def test_what_is_no_framework_is_named(inner: nn.Module, complaint: str) -> None:
    with pytest.raises(NotAFramework, match=complaint):
        ForeignNetwork(inner, "it")


def test_a_class_that_is_no_module_is_refused() -> None:
    plain = type("Plain", (), {name: getattr(Echo, name) for name in ("localise", "encode", "decode")})
    with pytest.raises(NotAFramework, match=r"no torch\.nn\.Module"):
        ForeignNetwork(plain(), "plain")


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("brought_nowhere.inner:load", "no module 'brought_nowhere'"),
        ("brought_module:absent", "no callable 'absent'"),
        ("brought_module:not_callable", "no callable 'not_callable'"),
        ("absent.onnx", "no such file"),
    ],
)
def test_specifications_that_lead_nowhere(here: str, spec: str, complaint: str) -> None:
    with pytest.raises(NoSuchFramework, match=complaint):
        load_network(spec)


def test_an_import_that_is_absent_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "brought_thirsty.py").write_text("import brought_library_of_theirs\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoSuchFramework, match="brought_thirsty imports 'brought_library_of_theirs'"):
        load_network("brought_thirsty:load")


def test_the_users_own_errors_come_through_with_a_note(here: str) -> None:
    with pytest.raises(RuntimeError, match="no weights here") as caught:
        load_network(f"{here}:raises")
    assert caught.value.__notes__ == [f"while loading the framework {here}:raises"]


def test_names_of_the_zoo_and_folders_are_not_specifications(tmp_path: Path) -> None:
    assert not is_foreign("zoo:nsd") and not is_foreign("runs/nsd") and not is_foreign(str(tmp_path))
    assert is_foreign("a.b:load") and is_foreign("pose.onnx") and is_foreign("folder/pose.pt2")
    with pytest.raises(NotANetwork):
        load_network("zoo:absent")


def poses_of(frames: Tensor) -> Tensor:
    return torch.stack([frame.mean() * torch.arange(17.0)[:, None].expand(17, 3) for frame in frames])


def write_onnx(path: Path) -> None:
    """FramesToPoses, written out by hand."""
    frames = onnx.helper.make_tensor_value_info("frames", onnx.TensorProto.FLOAT, ["b", 3, "h", "w"])
    pose = onnx.helper.make_tensor_value_info("pose", onnx.TensorProto.FLOAT, ["b", 17, 3])
    steps = onnx.numpy_helper.from_array(
        np.repeat(np.arange(17, dtype=np.float32), 3).reshape(1, 51), "steps"
    )
    shape = onnx.numpy_helper.from_array(np.array([0, 17, 3]), "shape")
    axes = onnx.numpy_helper.from_array(np.array([1, 2, 3]), "axes")
    node = onnx.helper.make_node
    nodes = [
        node("ReduceMean", ["frames", "axes"], ["mean"], keepdims=0),
        node("Unsqueeze", ["mean", "one"], ["column"]),
        node("Mul", ["column", "steps"], ["flat"]),
        node("Reshape", ["flat", "shape"], ["pose"]),
    ]
    one = onnx.numpy_helper.from_array(np.array([1]), "one")
    graph = onnx.helper.make_graph(nodes, "poses", [frames], [pose], [steps, shape, axes, one])
    write_model(graph, path)


def write_model(graph: onnx.GraphProto, path: Path) -> None:
    opset = [onnx.helper.make_opsetid("", 18)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=9), path)


def exported_program() -> torch.export.ExportedProgram:
    shapes = ({0: torch.export.Dim("batch", min=1, max=64)},)
    return torch.export.export(FramesToPoses(), (torch.rand(2, 3, 8, 8),), dynamic_shapes=shapes)


@pytest.mark.parametrize("kind", ["TorchScript", "torch.export", "ONNX"])
def test_programs_predict_and_cannot_paint(kind: str, tmp_path: Path) -> None:
    if kind == "TorchScript":
        scripted().save(str(path := tmp_path / "p.pt"))
    elif kind == "torch.export":
        torch.export.save(exported_program(), path := tmp_path / "p.pt2")
    else:
        write_onnx(path := tmp_path / "p.onnx")
    with trusting_code():
        network = load_network(str(path))
    assert isinstance(network, ProgramNetwork) and network.framework == kind
    frames = torch.rand(3, 3, 8, 8)
    torch.testing.assert_close(network.predict(frames), poses_of(frames))
    for refused in (
        lambda: require_generator(network),
        lambda: network.decode(torch.zeros(1, 0), torch.zeros(1, 51)),
        lambda: network.localise_thumbnails(frames),
    ):
        with pytest.raises(NoGradient, match=r"gives no gradient.*(?s:.)*--generator"):
            refused()


@pytest.mark.parametrize("name", ["p.pt", "p.ts", "p.pt2"])
def test_a_program_that_may_run_code_is_not_even_opened_unasked(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(b"code")
    opened: list[object] = []
    monkeypatch.setattr(torch.jit, "load", lambda *given: opened.append(given))
    monkeypatch.setattr(torch.export, "load", lambda *given: opened.append(given))
    with pytest.raises(UntrustedCode, match="--trust-code"):
        load_network(str(tmp_path / name))
    assert not opened


def test_trust_ends_with_its_block(tmp_path: Path) -> None:
    with trusting_code():
        pass
    (tmp_path / "p.pt2").write_bytes(b"x")
    with pytest.raises(UntrustedCode):
        load_network(str(tmp_path / "p.pt2"))


def test_a_loader_may_return_a_program(here: str) -> None:
    assert isinstance(load_network(f"{here}:scripted"), ProgramNetwork)


def test_a_program_of_something_else_is_named(tmp_path: Path) -> None:
    other = torch.jit.trace(nn.Flatten(), torch.rand(2, 3, 8, 8))  # type: ignore[no-untyped-call]
    with pytest.raises(NotAPoseProgram, match=r"first output is \[2, 192\]"):
        wrap_program(other, "flat").predict(torch.rand(2, 3, 8, 8))


def test_a_file_that_is_no_program_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.pt").write_bytes(b"nothing")
    with trusting_code(), pytest.raises(NotAPoseProgram, match="TorchScript cannot read it"):
        open_program(tmp_path / "broken.pt")


def test_an_onnx_decoder_is_no_pose_program(tmp_path: Path) -> None:
    values = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["b", 4])
        for name in ("h_a", "h_p", "rgb")
    ]
    add = onnx.helper.make_node("Add", ["h_a", "h_p"], ["rgb"])
    write_model(onnx.helper.make_graph([add], "decode", values[:2], values[2:]), tmp_path / "decode.onnx")
    with pytest.raises(NotAPoseProgram, match="its inputs are"):
        open_program(tmp_path / "decode.onnx")


def test_its_inside_is_its_own() -> None:
    network = ForeignNetwork(Echo(), "echo")
    for part in ("localiser", "encoder", "decoder"):
        with pytest.raises(NoSuchPart, match=part):
            getattr(network, part)


def test_the_fingerprint_follows_weights_and_code() -> None:
    class Weighted(Echo):
        def __init__(self, value: float) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor(value))

    prints = {ForeignNetwork(Weighted(value), "same").fingerprint() for value in (1.0, 1.0, 2.0)}
    assert len(prints) == 2
