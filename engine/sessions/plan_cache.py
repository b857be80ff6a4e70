"""Plans that were built on this machine, by key, with a record of each. A plan that is not on record
here is somebody else's native code."""

import hashlib
import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from dpa.engine.cache import cache_folder
from dpa.engine.sessions.plan_identity import PlanIdentity, PlanPlace, Sha256
from dpa.engine.sessions.tensorrt_build import build_plan
from dpa.models.atomic import write_bytes, write_text


class PlanRecord(BaseModel):
    """The sidecar of a plan: what it is valid for, and the SHA-256 of its bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    identity: PlanIdentity
    sha256: Sha256


class PlanCache:
    """KEY.plan and KEY.json in one folder ($DPA_CACHE/plans by default)."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or cache_folder() / "plans"

    def record(self, identity: PlanIdentity) -> PlanRecord | None:
        """The record of a plan that was built here; None where there is none, or a damaged one."""
        try:
            text = (self.folder / f"{identity.key()}.json").read_bytes()
            found = PlanRecord.model_validate_json(text)
        except (OSError, ValidationError):
            return None
        return found if found.identity == identity else None

    def plan(self, identity: PlanIdentity) -> bytes | None:
        """The plan's bytes if they are here and are what was recorded."""
        record, path = self.record(identity), self.folder / f"{identity.key()}.plan"
        if record is None or not path.is_file():
            return None
        data = path.read_bytes()
        return data if hashlib.sha256(data).hexdigest() == record.sha256 else None

    def build(self, identity: PlanIdentity, onnx: bytes) -> bytes:
        """The plan, from the cache or built now and recorded. See build_plan for what it raises."""
        if (known := self.plan(identity)) is not None:
            return known
        data = build_plan(onnx, identity.inputs, identity.buckets, self.timings(identity.place))
        record = PlanRecord(identity=identity, sha256=hashlib.sha256(data).hexdigest())
        self.folder.mkdir(parents=True, exist_ok=True)
        # the record last: a plan without one is not trusted
        write_bytes(self.folder / f"{identity.key()}.plan", data)
        write_text(self.folder / f"{identity.key()}.json", record.model_dump_json(indent=1) + "\n")
        return data

    def timings(self, place: PlanPlace) -> Path:
        """The timing cache of one TensorRT version on one GPU."""
        words = f"{place.builder}-{place.version}-{place.gpu}"
        return self.folder / f"timings-{re.sub(r'[^A-Za-z0-9.]+', '-', words)}.bin"
