"""Mutated engine folders in a process of their own: whatever the bytes, the answer is a named error or a
session that runs, never a crash.

DPA_FUZZ=3000 pytest tests/engine/test_sessions_fuzz.py does the full count; the default is small.
"""

import faulthandler
import hashlib
import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dpa.engine.sessions.engine_folder import EngineFolder
from dpa.engine.sessions.manifest import MANIFEST
from dpa.models.errors import DpaError

pytest.importorskip("onnxruntime", reason="needs the extra 'cpu'")

COUNT = int(os.environ.get("DPA_FUZZ", "60"))
SECONDS = 60
"""A single mutation that takes longer than this hangs."""

FILE = "pose.fp32.onnx"
SIDE = 8


def little_pose_network() -> bytes:
    """frames [batch, 3, 8, 8] → pose [batch, 17, 3], box [batch, 4], with the kinds of nodes that the
    exported pose graph has: shapes read from the input, sampling, convolution, pooling, products."""
    chance = np.random.default_rng(0)

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(chance.normal(size=shape).astype(np.float32), name)

    def numbers(name: str, *values: int) -> onnx.TensorProto:
        return numpy_helper.from_array(np.array(values, np.int64), name)

    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, SIDE, dtype=np.float32)] * 2), axis=-1)[None]
    node = helper.make_node
    nodes = [
        node("Shape", ["frames"], ["shape"]),
        node("Slice", ["shape", "zero", "one"], ["batch"]),
        node("Concat", ["batch", "rest"], ["wanted"], axis=0),
        node("Expand", ["grid", "wanted"], ["grids"]),
        node("GridSample", ["frames", "grids"], ["crops"], mode="bilinear", padding_mode="zeros"),
        node("Conv", ["crops", "kernel", "bias"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", ["c"], ["r"]),
        node("MaxPool", ["r"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", ["m"], ["f"], axis=1),
        node("Gemm", ["f", "last"], ["flat"]),
        node("Reshape", ["flat", "joints"], ["pose"]),
        node("Gemm", ["f", "boxes"], ["box"]),
    ]
    graph = helper.make_graph(
        nodes,
        "little",
        [helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [
            helper.make_tensor_value_info("pose", TensorProto.FLOAT, ["batch", 17, 3]),
            helper.make_tensor_value_info("box", TensorProto.FLOAT, ["batch", 4]),
        ],
        [
            numbers("zero", 0),
            numbers("one", 1),
            numbers("rest", SIDE, SIDE, 2),
            numbers("joints", -1, 17, 3),
            numpy_helper.from_array(grid, "grid"),
            weight("kernel", 4, 3, 3, 3),
            weight("bias", 4),
            weight("last", 16, 51),
            weight("boxes", 16, 4),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    serialised: bytes = model.SerializeToString()
    return serialised


def manifest_of(model: bytes, backend: str) -> bytes:
    """The manifest that lists `model` truthfully, as whoever plants a bad file would write it."""
    parity = {"samples": 4, "mean_mm": 0.0, "p99_mm": 0.0, "max_mm": 0.0, "limit_mm": 1.0}
    engine = {"graph": "pose", "backend": backend, "precision": "fp32", "file": FILE, "device": "cpu"}
    content = {
        "format": 1,
        "source": "test",
        "framework": "nsd",
        "weights": "0" * 64,
        "versions": {"torch": "2"},
        "files": {FILE: {"sha256": hashlib.sha256(model).hexdigest(), "bytes": len(model)}},
        "engines": [engine | {"parity": parity | {"code_error": {"pose": 0.0}}}],
    }
    return json.dumps(content).encode()


def edits(data: bytes, chance: np.random.Generator) -> bytes:
    """One to four random edits: a flipped bit, an extreme byte, a lost, doubled or overwritten piece."""
    out = bytearray(data)
    for _ in range(chance.integers(1, 5)):
        place, length = int(chance.integers(0, len(out))), int(chance.integers(1, 9))
        match int(chance.integers(0, 5)):
            case 0:
                out[place] ^= 1 << int(chance.integers(0, 8))
            case 1:
                out[place] = (0, 1, 0x7F, 0x80, 0xFF)[chance.integers(0, 5)]
            case 2 if len(out) > length:
                del out[place : place + length]
            case 3:
                out[place:place] = out[place : place + length]
            case _:
                out[place : place + length] = chance.bytes(length)
    return bytes(out)


def numbers_changed(data: bytes, chance: np.random.Generator) -> bytes:
    """A model that still parses, whose whole numbers are wrong: dims, pads, axes, types, constants."""
    model = onnx.ModelProto.FromString(data)
    extreme = [0, 1, -1, 2, 7, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 63) - 1, -(1 << 63)]
    places: list[Callable[[int], None]] = []
    for tensor in model.graph.initializer:
        places += [lambda v, t=tensor, i=i: t.dims.__setitem__(i, v) for i in range(len(tensor.dims))]
        places.append(lambda v, t=tensor: setattr(t, "data_type", v % 24))
        if tensor.data_type == TensorProto.INT64:
            places.append(
                lambda v, t=tensor: setattr(t, "raw_data", np.full(len(t.raw_data) // 8, v).tobytes())
            )
    for node in model.graph.node:
        for attribute in node.attribute:
            places.append(lambda v, a=attribute: setattr(a, "i", v))
            places += [
                lambda v, a=attribute, i=i: a.ints.__setitem__(i, v) for i in range(len(attribute.ints))
            ]
        names = [name for other in model.graph.node for name in (*other.input, *other.output)]
        places += [
            lambda v, n=node, i=i, names=names: n.input.__setitem__(i, names[v % len(names)])
            for i in range(len(node.input))
        ]
    for _ in range(chance.integers(1, 4)):
        places[chance.integers(0, len(places))](extreme[chance.integers(0, len(extreme))])
    serialised: bytes = model.SerializeToString()
    return serialised


Mutation = Callable[[bytes, np.random.Generator], bytes]


def attempt(folder: Path, backend: str, seed: int, mutation: Mutation | None) -> str:
    """Plant mutation number `seed`, open the folder, run what opens: the name of what came of it."""
    chance, model = np.random.default_rng(seed), little_pose_network()
    if mutation is None:
        manifest = edits(manifest_of(model, backend), chance)
    else:
        model = mutation(model, chance)
        manifest = manifest_of(model, backend)
    (folder / FILE).write_bytes(model)
    (folder / MANIFEST).write_bytes(manifest)
    try:
        session = EngineFolder(folder).session("pose", threads=1)
        session.run({spec.name: np.ones((2, 3, SIDE, SIDE), np.float32) for spec in session.inputs})
    except DpaError as error:
        return type(error).__name__
    return "ran"


def work(
    folder: Path, backend: str, mutation: Mutation | None, first: int, end: int, answers: Connection
) -> None:
    faulthandler.disable()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the parser's own complaints
    for seed in range(first, end):
        answers.send((seed, None))
        try:
            outcome = attempt(folder, backend, seed, mutation)
        except BaseException as error:
            outcome = f"unnamed {type(error).__name__}: {error}"
        answers.send((seed, outcome))
    answers.close()


def survey(folder: Path, backend: str, mutation: Mutation | None, count: int) -> Counter[str]:
    """What came of `count` mutations. A process that dies is a crash of the mutation it was at."""
    found: Counter[str] = Counter()
    context, seed = multiprocessing.get_context("fork"), 0
    while seed < count:
        answers, theirs = context.Pipe(duplex=False)
        process = context.Process(
            target=work, args=(folder, backend, mutation, seed, count, theirs), daemon=True
        )
        process.start()
        theirs.close()
        try:
            while answers.poll(SECONDS):
                at, outcome = answers.recv()
                if outcome is not None:
                    found[outcome] += 1
                seed = at + (outcome is not None)
            process.kill()
            found[f"hang at {seed}"] += 1
            seed += 1
        except EOFError:
            process.join()
            if seed < count:
                found[f"crash {process.exitcode} at {seed}"] += 1
                seed += 1
        process.join()
    return found


@pytest.mark.parametrize(
    ("backend", "mutation"),
    [
        ("onnxruntime", edits),
        ("onnxruntime", numbers_changed),
        ("onnxruntime", None),
        ("openvino", edits),
        ("openvino", numbers_changed),
    ],
    ids=["bytes", "numbers", "manifest", "bytes-openvino", "numbers-openvino"],
)
def test_no_mutation_crashes_the_process(tmp_path: Path, backend: str, mutation: Mutation | None) -> None:
    if find_spec(backend) is None:  # importing it here would hand its threads to the fork
        pytest.skip(f"needs {backend}")
    found = survey(tmp_path, backend, mutation, COUNT)
    print(found.most_common())
    bad = {name: times for name, times in found.items() if name.startswith(("crash", "hang", "unnamed"))}
    assert not bad
    assert sum(found.values()) == COUNT
    assert sum(times for name, times in found.items() if name != "ran") > COUNT / 4, "mutations that do bite"


def die(data: bytes, chance: np.random.Generator) -> bytes:
    os.abort()


def test_a_crash_would_be_seen(tmp_path: Path) -> None:
    found = survey(tmp_path, "onnxruntime", die, 2)
    assert [name.split(" at ")[0] for name in found] == ["crash -6", "crash -6"]
