"""A TensorRT engine of an engine folder, opened with suspicion: what the plan is valid for and who built
it are settled before a byte of it reaches TensorRT."""

from pathlib import Path

from dpa.engine.sessions.manifest import EngineEntry, Manifest, checked_bytes
from dpa.engine.sessions.manifest_errors import ForeignPlan, StalePlan
from dpa.engine.sessions.onnx_check import check_onnx
from dpa.engine.sessions.plan_cache import PlanCache
from dpa.engine.sessions.plan_identity import PlanPlace
from dpa.engine.sessions.tensorrt_api import import_tensorrt, require_gpu, this_place
from dpa.engine.sessions.tensorrt_session import TensorRtSession

REMEDY = "rebuild it from its ONNX file: --rebuild-plans"


def open_plan(
    folder: Path, manifest: Manifest, entry: EngineEntry, device: str, *, rebuild: bool = False
) -> TensorRtSession:
    """A session over the plan of `entry`. See checked_plan and TensorRtSession for what it raises."""
    require_gpu(device)
    import_tensorrt()
    plan = checked_plan(folder, manifest, entry, this_place(), PlanCache(), rebuild=rebuild)
    return TensorRtSession(plan, entry.buckets, device)


def checked_plan(
    folder: Path,
    manifest: Manifest,
    entry: EngineEntry,
    here: PlanPlace,
    cache: PlanCache,
    *,
    rebuild: bool = False,
) -> bytes:
    """The plan's bytes, if they may run here.

    Raises StalePlan when it was built for another network, TensorRT, GPU or platform, ForeignPlan when
    this machine did not build it, and what checked_bytes raises. With `rebuild`, either is answered by
    building the plan from the entry's ONNX file, which passes all the checks of an ONNX engine first; the
    folder stays as it is, the new plan is kept in the cache.
    """
    assert entry.plan is not None  # the manifest's own rule for TensorRT engines
    identity = entry.plan.identity
    reasons = identity.reasons_stale(manifest.files[entry.file].sha256, here)
    if not reasons:
        data = checked_bytes(folder, manifest, entry.plan.file)
        record = cache.record(identity)
        if record is not None and record.sha256 == manifest.files[entry.plan.file].sha256:
            return data
    if rebuild:
        onnx = checked_bytes(folder, manifest, entry.file)
        check_onnx(onnx, entry.file)
        fresh = identity.model_copy(update={"onnx": manifest.files[entry.file].sha256, "place": here})
        return cache.build(fresh, onnx)
    if reasons:
        raise StalePlan(
            found=f"{folder / entry.plan.file}: {'; '.join(reasons)}",
            expected="a plan for this network, TensorRT, GPU and platform",
            remedy=REMEDY,
        )
    raise ForeignPlan(
        found=f"{folder / entry.plan.file} was not built on this machine",
        expected="a plan on this machine's build record, as plans are native code",
        remedy=REMEDY,
    )
