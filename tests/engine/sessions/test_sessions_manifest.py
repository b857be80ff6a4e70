"""An engine folder is read with suspicion: one test for each reason to refuse it."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from dpa.engine.sessions import errors
from dpa.engine.sessions.engine_folder import EngineFolder
from dpa.engine.sessions.manifest import FILE_LIMIT, MANIFEST, MANIFEST_LIMIT, checked_bytes, read_manifest
from dpa.engine.sessions.onnx_check import check_onnx


def doubling() -> onnx.ModelProto:
    """pose = 2 · frames, [batch, 2]."""
    graph = helper.make_graph(
        [helper.make_node("Mul", ["frames", "two"], ["pose"])],
        "doubling",
        [helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["batch", 2])],
        [helper.make_tensor_value_info("pose", TensorProto.FLOAT, ["batch", 2])],
        [onnx.numpy_helper.from_array(np.full((1, 2), 2, np.float32), "two")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def write(folder: Path, model: bytes, **changes: object) -> dict:
    """An engine folder with this model as its only engine; `changes` replace manifest keys."""
    folder.mkdir(exist_ok=True)
    (folder / "pose.fp32.onnx").write_bytes(model)
    parity = {"samples": 4, "mean_mm": 0.0, "p99_mm": 0.0, "max_mm": 0.0, "limit_mm": 1.0}
    content = {
        "format": 1,
        "source": "test",
        "framework": "nsd",
        "weights": "0" * 64,
        "versions": {"torch": "2"},
        "files": {"pose.fp32.onnx": {"sha256": hashlib.sha256(model).hexdigest(), "bytes": len(model)}},
        "engines": [
            {
                "graph": "pose",
                "backend": "onnxruntime",
                "precision": "fp32",
                "file": "pose.fp32.onnx",
                "device": "cpu",
                "buckets": [1, 8],
                "parity": parity | {"code_error": {"pose": 0.0}},
            }
        ],
    }
    content |= changes
    (folder / MANIFEST).write_text(json.dumps(content))
    return content


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "engines", doubling().SerializeToString())
    return tmp_path / "engines"


def test_an_untouched_folder_runs(folder: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra 'cpu'")
    opened = EngineFolder(folder)
    made = opened.session("pose").run(np.ones((3, 2), np.float32))
    np.testing.assert_array_equal(made["pose"], np.full((3, 2), 2))
    assert opened.manifest.engines[0].buckets == (1, 8)


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(errors.NotAnEngineFolder):
        EngineFolder(tmp_path)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "nul", "{", "[" * 100_000, '{"format": 1}', '{"format": 1, "format": 1}', '{"format": NaN}'],
    ids=["empty", "list", "word", "open", "deep", "keys", "twice", "nan"],
)
def test_malformed_manifest(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(text)
    with pytest.raises(errors.MalformedManifest):
        EngineFolder(folder)


def test_a_key_that_stands_twice(folder: Path) -> None:
    """Which of the two would count is the parser's secret."""
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(text.replace("{", '{"source": "another", ', 1))
    with pytest.raises(errors.MalformedManifest, match="twice"):
        EngineFolder(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"surplus": 1},
        {"weights": "short"},
        {"weights": 7},
        {"files": {}},
        {"files": {"../pose.fp32.onnx": {"sha256": "0" * 64, "bytes": 1}}},
        {"files": {"/etc/passwd": {"sha256": "0" * 64, "bytes": 1}}},
        {"files": {"pose.fp32.onnx": {"sha256": "0" * 64, "bytes": -1}}},
        {"files": {"pose.fp32.onnx": {"sha256": "0" * 64, "bytes": "12"}}},
    ],
    ids=["surplus", "short", "number", "unlisted", "parent", "absolute", "negative", "text"],
)
def test_a_manifest_that_says_something_else(folder: Path, changes: dict) -> None:
    write(folder, doubling().SerializeToString(), **changes)
    with pytest.raises(errors.MalformedManifest):
        EngineFolder(folder)


def test_manifest_too_large(folder: Path) -> None:
    with (folder / MANIFEST).open("a") as file:
        file.write(" " * MANIFEST_LIMIT)
    with pytest.raises(errors.MalformedManifest, match="bytes"):
        EngineFolder(folder)


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_other_format(folder: Path, version: object) -> None:
    write(folder, doubling().SerializeToString(), format=version)
    with pytest.raises(errors.WrongManifestVersion):
        EngineFolder(folder)


def test_every_changed_byte_is_seen(folder: Path) -> None:
    path = folder / "pose.fp32.onnx"
    data = path.read_bytes()
    opened = EngineFolder(folder)
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(errors.ChangedFile):
            checked_bytes(opened.path, opened.manifest, path.name)


@pytest.mark.parametrize("change", [lambda d: d[:-1], lambda d: d + b"\0", lambda d: b""])
def test_another_length(folder: Path, change) -> None:
    path = folder / "pose.fp32.onnx"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(errors.ChangedFile):
        EngineFolder(folder).session("pose")


def test_missing_file(folder: Path) -> None:
    (folder / "pose.fp32.onnx").unlink()
    with pytest.raises(errors.MissingFile):
        EngineFolder(folder).session("pose")


def test_oversized_file_is_not_opened(folder: Path) -> None:
    entry = {"pose.fp32.onnx": {"sha256": "0" * 64, "bytes": FILE_LIMIT + 1}}
    write(folder, doubling().SerializeToString(), files=entry)
    with pytest.raises(errors.OversizedFile):
        EngineFolder(folder).session("pose")


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
@pytest.mark.parametrize("name", [MANIFEST, "pose.fp32.onnx"])
def test_only_plain_files(folder: Path, tmp_path: Path, name: str, kind: str) -> None:
    path = folder / name
    path.rename(tmp_path / "moved")
    if kind == "link":
        path.symlink_to(tmp_path / "moved")
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises((errors.UnsafeFile, errors.NotAnEngineFolder)):
        EngineFolder(folder).session("pose")


def test_external_data(folder: Path) -> None:
    model = doubling()
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], location="weights.bin")
    write(folder, model.SerializeToString())
    with pytest.raises(errors.ExternalData):
        EngineFolder(folder).session("pose")


def test_external_data_inside_a_subgraph(folder: Path) -> None:
    model = doubling()
    inner = doubling().graph
    onnx.external_data_helper.set_external_data(inner.initializer[0], location="/etc/passwd")
    model.graph.node.append(helper.make_node("If", ["c"], ["z"], then_branch=inner, else_branch=inner))
    write(folder, model.SerializeToString())
    with pytest.raises(errors.ExternalData):
        EngineFolder(folder).session("pose")


def wrapped(field: int, payload: bytes) -> bytes:
    """A protobuf field that holds a message."""
    length, size = [], len(payload)
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([field << 3 | 2, *length, size]) + payload


def nested(depth: int) -> bytes:
    """A model whose graph holds a node that holds a graph, `depth` times over; written by hand, as the
    protobuf library refuses to build it."""
    graph = doubling().graph.SerializeToString()
    for _ in range(depth):
        graph = wrapped(1, wrapped(5, wrapped(6, graph)))
    return wrapped(7, graph)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a model at all",
        doubling().SerializeToString()[:-3],
        b"\x38\x01",
        b"\xff" * 12,
        nested(5000),
    ],
    ids=["empty", "text", "cut", "graph-is-a-number", "endless-number", "deep"],
)
def test_malformed_onnx(folder: Path, data: bytes) -> None:
    write(folder, data)
    with pytest.raises(errors.MalformedOnnx):
        EngineFolder(folder).session("pose")


def in_order(*nodes: tuple[list[str], list[str]]) -> bytes:
    """A model of Add nodes over the input x and the weight w, given as (inputs, outputs)."""
    made = [helper.make_node("Add", *names) for names in nodes]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", "y")]
    weight = onnx.numpy_helper.from_array(np.ones(2, np.float32), "w")
    return helper.make_model(
        helper.make_graph(made, "g", values[:1], values[1:], [weight])
    ).SerializeToString()


def test_nodes_in_order_are_fine() -> None:
    check_onnx(in_order((["x", "w"], ["a"]), (["a", ""], ["y"])), "ordered")


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([(["x", "y"], ["y"])], "before anything gives it"),
        ([(["x", "b"], ["a"]), (["a", "w"], ["b"])], "before anything gives it"),
        ([(["x", "w"], ["y"]), (["x", "x"], ["y"])], "two nodes give"),
    ],
    ids=["reads-itself", "cycle", "twice"],
)
def test_nodes_that_cannot_run_one_after_the_other(nodes, said: str) -> None:
    """OpenVINO's reader never comes back from a cycle."""
    with pytest.raises(errors.MalformedOnnx, match=said):
        check_onnx(in_order(*nodes), "unordered")


def test_two_graphs_in_one_file() -> None:
    with pytest.raises(errors.MalformedOnnx, match="2 graphs"):
        check_onnx(2 * doubling().SerializeToString(), "twice")


def test_a_subgraph_sees_what_was_made_around_it() -> None:
    inner = helper.make_graph([helper.make_node("Neg", ["a"], ["b"])], "inner", [], [])
    around = onnx.ModelProto.FromString(in_order((["x", "w"], ["a"])))
    around.graph.node.append(helper.make_node("If", ["a"], ["y"], then_branch=inner, else_branch=inner))
    check_onnx(around.SerializeToString(), "if")
    around.graph.node[0].output[0] = "other"
    around.graph.node[1].input[0] = "x"
    with pytest.raises(errors.MalformedOnnx, match="'a'"):
        check_onnx(around.SerializeToString(), "if")


def test_a_shallow_subgraph_is_fine() -> None:
    check_onnx(nested(3), "nested")


@pytest.mark.parametrize(
    "names", [("decode", None, "fp32"), ("pose", "openvino", "fp32"), ("pose", None, "int8")]
)
def test_no_such_engine(folder: Path, names) -> None:
    graph, backend, precision = names
    with pytest.raises(errors.NoSuchEngine, match="pose/onnxruntime/fp32"):
        EngineFolder(folder).session(graph, backend=backend, precision=precision)


def mutate(data: bytes, chance: np.random.Generator) -> bytes:
    """One to four random edits: a flipped bit, a lost, doubled, inserted or overwritten piece."""
    out = bytearray(data)
    for _ in range(chance.integers(1, 5)):
        place, length = int(chance.integers(0, len(out) + 1)), int(chance.integers(1, 9))
        piece = bytes(chance.integers(0, 256, length, dtype=np.uint8))
        match int(chance.integers(0, 5)):
            case 0 if place < len(out):
                out[place] ^= 1 << int(chance.integers(0, 8))
            case 1:
                del out[place : place + length]
            case 2:
                out[place:place] = out[place : place + length]
            case 3:
                out[place:place] = piece
            case _:
                out[place : place + length] = piece
    return bytes(out)


def test_fuzzed_manifests_are_refused_by_name_or_read_well(folder: Path) -> None:
    path = folder / MANIFEST
    original, chance, refused = path.read_bytes(), np.random.default_rng(20), 0
    for _ in range(1500):
        path.write_bytes(mutate(original, chance))
        try:
            manifest = read_manifest(folder)
            for name in manifest.files:
                checked_bytes(folder, manifest, name)
        except errors.EngineFolderError:
            refused += 1
    assert refused > 1000


def holds_external(graph: onnx.GraphProto) -> bool:
    """What the protobuf library itself reads out of a graph: the oracle for check_onnx."""
    if any(t.data_location != 0 or t.external_data for t in graph.initializer):
        return True
    attributes = [a for node in graph.node for a in node.attribute]
    return any(holds_external(g) for a in attributes for g in (a.g, *a.graphs)) or any(
        t.data_location != 0 or t.external_data for a in attributes for t in (a.t, *a.tensors)
    )


def test_fuzzed_onnx_never_hides_external_data() -> None:
    model = doubling()
    inner = doubling().graph
    onnx.external_data_helper.set_external_data(inner.initializer[0], location="w")
    model.graph.node.append(helper.make_node("If", ["c"], ["z"], then_branch=inner))
    chance, passed = np.random.default_rng(21), 0
    for source in (model.SerializeToString(), doubling().SerializeToString()):
        for _ in range(2000):
            data = mutate(source, chance)
            try:
                check_onnx(data, "fuzzed")
            except (errors.MalformedOnnx, errors.ExternalData):
                continue
            passed += 1
            try:
                parsed = onnx.ModelProto.FromString(data)
            except Exception:
                continue  # accepted by the sieve, refused by the parser: the parser's own error then
            assert not holds_external(parsed.graph)
    assert passed > 100
