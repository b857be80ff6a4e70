"""manifest.json of an engine folder: what it holds, where it came from, what a TensorRT plan is valid for,
and how far each engine is from fp32 torch. It is read, and every file checked against it, before native code
sees a byte."""

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dpa.engine.sessions.errors import (
    ChangedFile,
    MalformedManifest,
    MissingFile,
    NotAnEngineFolder,
    OversizedFile,
    UnsafeFile,
    WrongManifestVersion,
)

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Positive = Annotated[int, Field(ge=1, le=1 << 20)]


class PlanPlace(BaseModel):
    """Where a plan may run. builder: the package that made it; version: its version; gpu: model and
    compute capability, 'any' for tensorrt_rtx; platform: system and processor."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    builder: Literal["tensorrt", "tensorrt_rtx"]
    version: str
    gpu: str
    platform: str


class PlanIdentity(BaseModel):
    """All that a plan depends on.

    onnx: SHA-256 of the network; inputs: name → dimensions after the batch; buckets: batch sizes, one
    optimisation profile each, in this order; flags: builder flags that are not as by default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    onnx: Sha256
    place: PlanPlace
    inputs: dict[str, tuple[Positive, ...]]
    buckets: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=16)]
    flags: tuple[str, ...] = ()

    def key(self) -> str:
        """64 hexadecimal digits that stand for the whole."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def reasons_stale(self, onnx: str, here: PlanPlace) -> list[str]:
        """In words, why this plan is of no use for that network in that place; none when it is."""
        reasons = []
        if self.onnx != onnx:
            reasons.append("its ONNX file is another")
        for name in PlanPlace.model_fields:
            was, now = getattr(self.place, name), getattr(here, name)
            if was != now:
                reasons.append(f"{name} was {was}, here it is {now}")
        return reasons


MANIFEST = "manifest.json"
FORMAT: Literal[1] = 1
MANIFEST_LIMIT = 1 << 20
FILE_LIMIT = (1 << 31) - 1
"""An ONNX file is one protobuf message, which cannot be larger than 2 GiB."""

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}$")]
Backend = Literal["onnxruntime", "openvino", "tensorrt"]
Precision = Literal["fp32", "fp16", "bf16", "int8"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class FileEntry(_Part):
    """One file of the folder."""

    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]


class Verdicts(_Part):
    """An engine as the judge of attacks, beside fp32 torch, on the same `judged` pictures.

    succeeded: attacks that torch calls successful, MPJPE between its poses before and after above
    threshold_mm; flips: attacks that the engine calls the other way.
    """

    judged: Annotated[int, Field(ge=1)]
    succeeded: Annotated[int, Field(ge=0)]
    flips: Annotated[int, Field(ge=0)]
    threshold_mm: float


class Parity(_Part):
    """Distance to fp32 torch over `samples` frames.

    mean_mm, p99_mm, max_mm: over samples, of the mean joint distance between the two poses (MPJPE, 17
    joints, root-relative, no alignment). code_error: per output of the graph, relative L2 error.
    limit_mm: what the mean may be. verdicts: of graphs that a judge is made of, where attacks were tried.
    """

    samples: Annotated[int, Field(ge=1)]
    mean_mm: float
    p99_mm: float
    max_mm: float
    limit_mm: float
    code_error: dict[str, float]
    verdicts: Verdicts | None = None


class PlanEntry(_Part):
    """The TensorRT plan of an engine: its file, and what it is valid for."""

    file: FileName
    identity: PlanIdentity


class EngineEntry(_Part):
    """One graph in one precision for one back-end.

    device: where parity was measured. buckets: batch sizes it was built for; empty means any. plan: of
    TensorRT engines, whose `file` is the ONNX that the plan was built from. parity_on: the back-end that
    parity was measured on: its own, but for a plan that was built where it cannot run.
    """

    graph: str
    backend: Backend
    precision: Precision
    file: FileName
    device: str
    buckets: tuple[int, ...] = ()
    plan: PlanEntry | None = None
    parity: Parity
    parity_on: Backend | None = None

    @model_validator(mode="after")
    def _tensorrt_has_a_plan(self) -> "EngineEntry":
        if (self.backend == "tensorrt") != (self.plan is not None):
            raise ValueError("a TensorRT engine, and no other, has a plan")
        if self.plan is not None and self.plan.identity.buckets != self.buckets:
            raise ValueError("the plan was built for other buckets")
        return self


class EngineManifest(_Part):
    """The whole of manifest.json. `weights`: fingerprint of the network that was exported; `source`:
    its run or zoo name."""

    format: Literal[1] = FORMAT
    source: str
    framework: str
    weights: Sha256
    versions: dict[str, str]
    files: dict[FileName, FileEntry]
    engines: tuple[EngineEntry, ...]

    @model_validator(mode="after")
    def _engines_name_listed_files(self) -> "EngineManifest":
        for engine in self.engines:
            if engine.file not in self.files:
                raise ValueError(f"engine file {engine.file!r} is not among the files")
            if engine.plan is not None and engine.plan.file not in self.files:
                raise ValueError(f"plan {engine.plan.file!r} is not among the files")
        return self


def read_manifest(folder: Path) -> EngineManifest:
    """The manifest of an engine folder, validated; no other file is opened.

    Raises NotAnEngineFolder, UnsafeFile, MalformedManifest, WrongManifestVersion.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise NotAnEngineFolder(
            found=f"no {MANIFEST} in {folder}",
            expected="a folder written by `dpa-engine export`",
            remedy="export the network, or name the folder that was exported",
        )
    data = _read_plain(path, MANIFEST_LIMIT + 1)
    if len(data) > MANIFEST_LIMIT:
        raise _malformed(path, f"more than {MANIFEST_LIMIT} bytes")
    try:
        raw: Any = json.loads(data, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _malformed(path, f"not JSON ({error})") from error
    if not isinstance(raw, dict):
        raise _malformed(path, f"JSON of type {type(raw).__name__}")
    if raw.get("format") != FORMAT:
        raise WrongManifestVersion(
            found=f"format {raw.get('format')!r} in {path}",
            expected=f"format {FORMAT}",
            remedy="export the network again with this version",
        )
    try:
        # through JSON, so that lists become tuples while numbers and strings stay strict
        return EngineManifest.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise _malformed(path, f"{place}: {first['msg']}") from error


def checked_bytes(folder: Path, manifest: EngineManifest, name: str) -> bytes:
    """The contents of a listed file, after its size and SHA-256 have been compared.

    What is returned is what was hashed: the file is read once. Raises MissingFile, UnsafeFile,
    OversizedFile, ChangedFile.
    """
    entry, path = manifest.files[name], folder / name
    if entry.bytes > FILE_LIMIT:
        raise OversizedFile(
            found=f"{path}: {entry.bytes} bytes listed",
            expected=f"at most {FILE_LIMIT}",
            remedy="export the network again",
        )
    data = _read_plain(path, entry.bytes + 1)
    digest = hashlib.sha256(data).hexdigest()
    if len(data) != entry.bytes or digest != entry.sha256:
        size = f"{len(data)} bytes" if len(data) <= entry.bytes else f"more than {entry.bytes} bytes"
        raise ChangedFile(
            found=f"{path}: {size}, SHA-256 {digest[:12]}…",
            expected=f"{entry.bytes} bytes, SHA-256 {entry.sha256[:12]}…",
            remedy="the file was changed after the export: export again, or fetch the folder anew",
        )
    return data


def _read_plain(path: Path, limit: int) -> bytes:
    """At most `limit` bytes of a regular file that is not a link."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise MissingFile(
            found=f"{path} is not there", expected="every listed file", remedy="export the network again"
        ) from error
    except OSError as error:
        raise _unsafe(path) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _unsafe(path)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(limit)


def _unsafe(path: Path) -> UnsafeFile:
    return UnsafeFile(
        found=f"{path} is a link or not a plain readable file",
        expected="plain files inside the engine folder",
        remedy="copy the file itself into the folder",
    )


def _malformed(path: Path, reason: str) -> MalformedManifest:
    return MalformedManifest(
        found=f"{path}: {reason}",
        expected="the manifest as it was written",
        remedy="export the network again, or fetch the folder anew",
    )


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return made


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is not JSON")
