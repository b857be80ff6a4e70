"""TensorRT plans before TensorRT sees them: what they are valid for, who built them, and how a batch is
cut into buckets. Nothing here needs TensorRT."""

import hashlib
import json
from pathlib import Path

import pytest
import torch

from dpa.engine.sessions import errors
from dpa.engine.sessions.engine_folder import EngineFolder, checked_plan
from dpa.engine.sessions.errors import MissingPackage, ProviderUnavailable
from dpa.engine.sessions.manifest import MANIFEST, PlanIdentity, PlanPlace
from dpa.engine.sessions.tensorrt_plans import PlanCache, import_tensorrt, require_gpu
from dpa.engine.sessions.tensorrt_session import pieces, run_in_buckets

HERE = PlanPlace(builder="tensorrt", version="11.0", gpu="H100, compute capability 9.0", platform="linux-x")
ONNX, PLAN = b"\x3a\x00", b"a plan in native code"
"""The shortest file that check_onnx takes for a model with a graph."""


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


IDENTITY = PlanIdentity(onnx=sha(ONNX), place=HERE, inputs={"frames": (3, 8, 8)}, buckets=(1, 8))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch) -> PlanCache:
    """A cache whose builder answers at once, with PLAN."""
    monkeypatch.setattr("dpa.engine.sessions.tensorrt_plans.build_plan", lambda *_: PLAN)
    return PlanCache(tmp_path / "plans")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An engine folder with one TensorRT engine."""
    path = tmp_path / "engines"
    path.mkdir()
    (path / "pose.fp32.onnx").write_bytes(ONNX)
    (path / "pose.fp32.plan").write_bytes(PLAN)
    rewrite(path, {})
    return path


def rewrite(path: Path, changes: dict) -> None:
    parity = {"samples": 4, "mean_mm": 0.0, "p99_mm": 0.0, "max_mm": 0.0, "limit_mm": 1.0, "code_error": {}}
    engine = {
        "graph": "pose",
        "backend": "tensorrt",
        "precision": "fp32",
        "file": "pose.fp32.onnx",
        "device": "cuda:0",
        "buckets": [1, 8],
        "plan": {"file": "pose.fp32.plan", "identity": IDENTITY.model_dump(mode="json")},
        "parity": parity,
    }
    files = {one.name: one.read_bytes() for one in path.iterdir() if one.name != MANIFEST}
    content = {
        "format": 1,
        "source": "test",
        "framework": "nsd",
        "weights": "0" * 64,
        "versions": {},
        "files": {name: {"sha256": sha(data), "bytes": len(data)} for name, data in files.items()},
        "engines": [engine | changes],
    }
    (path / MANIFEST).write_text(json.dumps(content))


def opened(folder: Path, cache: PlanCache, here: PlanPlace = HERE, rebuild: bool = False) -> bytes:
    manifest = EngineFolder(folder).manifest
    return checked_plan(folder, manifest, manifest.engines[0], here, cache, rebuild=rebuild)


def test_a_plan_that_was_built_here_is_handed_out(folder: Path, cache: PlanCache) -> None:
    cache.build(IDENTITY, ONNX)
    assert opened(folder, cache) == PLAN


def test_a_foreign_plan(folder: Path, cache: PlanCache) -> None:
    with pytest.raises(errors.ForeignPlan, match="not built on this machine"):
        opened(folder, cache)
    assert opened(folder, cache, rebuild=True) == PLAN


def test_a_plan_that_only_claims_to_be_the_one_built_here(folder: Path, cache: PlanCache) -> None:
    cache.build(IDENTITY, ONNX)
    (folder / "pose.fp32.plan").write_bytes(b"another plan, truthfully listed")
    rewrite(folder, {})
    with pytest.raises(errors.ForeignPlan):
        opened(folder, cache)


def test_a_changed_plan(folder: Path, cache: PlanCache) -> None:
    cache.build(IDENTITY, ONNX)
    (folder / "pose.fp32.plan").write_bytes(PLAN[:-1] + b"!")
    with pytest.raises(errors.ChangedFile):
        opened(folder, cache)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("builder", "tensorrt_rtx"),
        ("version", "11.1"),
        ("gpu", "H200, compute capability 9.0"),
        ("platform", "x"),
    ],
)
def test_a_stale_plan_says_why(folder: Path, cache: PlanCache, field: str, value: str) -> None:
    cache.build(IDENTITY, ONNX)
    here = HERE.model_copy(update={field: value})
    with pytest.raises(errors.StalePlan, match=f"{field} was .*, here it is {value}"):
        opened(folder, cache, here)
    assert opened(folder, cache, here, rebuild=True) == PLAN
    assert cache.plan(IDENTITY.model_copy(update={"place": here})) == PLAN


def test_a_plan_of_another_network(folder: Path, cache: PlanCache) -> None:
    cache.build(IDENTITY, ONNX)
    (folder / "pose.fp32.onnx").write_bytes(ONNX + ONNX)
    rewrite(folder, {})
    with pytest.raises(errors.StalePlan, match="ONNX file is another"):
        opened(folder, cache)


def test_rebuilding_does_not_skip_the_checks_of_the_onnx_file(folder: Path, cache: PlanCache) -> None:
    (folder / "pose.fp32.onnx").write_bytes(b"no model")
    with pytest.raises(errors.ChangedFile):
        opened(folder, cache, rebuild=True)
    rewrite(folder, {})
    with pytest.raises(errors.MalformedOnnx):
        opened(folder, cache, rebuild=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"plan": None},
        {"backend": "onnxruntime"},
        {"buckets": [1]},
        {"plan": {"file": "gone.plan", "identity": IDENTITY.model_dump(mode="json")}},
        {"plan": {"file": "../x.plan", "identity": IDENTITY.model_dump(mode="json")}},
    ],
    ids=["no-plan", "plan-elsewhere", "other-buckets", "unlisted", "outside"],
)
def test_a_manifest_whose_plan_makes_no_sense(folder: Path, changes: dict) -> None:
    rewrite(folder, changes)
    with pytest.raises(errors.MalformedManifest):
        EngineFolder(folder)


def test_a_damaged_cache_is_built_again(cache: PlanCache, monkeypatch) -> None:
    cache.build(IDENTITY, ONNX)
    path = cache.folder / f"{IDENTITY.key()}.plan"
    path.write_bytes(b"cut")
    assert cache.plan(IDENTITY) is None and cache.build(IDENTITY, ONNX) == PLAN
    (cache.folder / f"{IDENTITY.key()}.json").write_text("{")
    assert cache.record(IDENTITY) is None and cache.build(IDENTITY, ONNX) == PLAN
    monkeypatch.setattr(
        "dpa.engine.sessions.tensorrt_plans.build_plan", lambda *_: pytest.fail("built again")
    )
    assert cache.build(IDENTITY, b"") == PLAN


def test_every_part_of_an_identity_makes_another_key() -> None:
    others = [
        {"onnx": "0" * 64},
        {"inputs": {"frames": (3, 8, 9)}},
        {"buckets": (8, 1)},
        {"flags": ("no TF32",)},
        *({"place": HERE.model_copy(update={name: "tensorrt_rtx"})} for name in PlanPlace.model_fields),
    ]
    keys = {IDENTITY.key(), *(IDENTITY.model_copy(update=change).key() for change in others)}
    assert len(keys) == 1 + len(others)


def test_one_timing_cache_for_each_gpu_and_version(tmp_path: Path) -> None:
    cache = PlanCache(tmp_path)
    places = [HERE, HERE.model_copy(update={"gpu": "T4"}), HERE.model_copy(update={"version": "11.1"})]
    assert len({cache.timings(place) for place in places}) == 3
    assert all(cache.timings(place).parent == tmp_path for place in places)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, [(0, 1, 1)]),
        (2, [(0, 2, 8)]),
        (8, [(0, 8, 8)]),
        (32, [(0, 32, 32)]),
        (33, [(0, 32, 32), (32, 33, 1)]),
        (70, [(0, 32, 32), (32, 64, 32), (64, 70, 8)]),
    ],
)
def test_pieces(count: int, expected: list) -> None:
    assert pieces(count, (8, 1, 32)) == expected


@pytest.mark.parametrize("count", [1, 3, 8, 21])
def test_a_batch_in_buckets_is_the_batch(count: int) -> None:
    """Against a back-end with fixed buffers, in whose unused rows the last call's values are still
    there."""
    buffers = {size: torch.full((size, 2), torch.nan) for size in (1, 8)}

    def run(bucket: int, feeds: dict) -> dict:
        buffers[bucket][: len(feeds["x"])] = feeds["x"]
        return {"y": (2 * buffers[bucket])[: len(feeds["x"])], "z": buffers[bucket].sum(1)[: len(feeds["x"])]}

    x = torch.arange(2.0 * count).reshape(count, 2)
    made = run_in_buckets({"x": x}, (1, 8), run)
    torch.testing.assert_close(made["y"], 2 * x)
    torch.testing.assert_close(made["z"], x.sum(1))


def test_devices_that_are_no_gpu(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for device in ("cpu", "cuda:x", "cuda", "cuda:9"):
        with pytest.raises(ProviderUnavailable):
            require_gpu(device)


def test_without_tensorrt_one_line_names_the_extra(monkeypatch) -> None:
    monkeypatch.setattr("dpa.engine.sessions.tensorrt_plans.find_spec", lambda _: None)
    with pytest.raises(MissingPackage, match=r"dpa-engine\[trt\]"):
        import_tensorrt()
