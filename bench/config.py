"""What each bench is told. Light: the command line makes its options from these classes."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from dpa.models.config import Config

Count = Annotated[int, Field(ge=1)]
DEVICE = "auto, cpu or cuda."
SOURCE = "Packed set; without one, the evaluation set."
TARGET = "Network that is attacked: zoo:NAME, a run directory or my_module:load."


class StoreBench(Config):
    """`bench data`."""

    frames: Count = Field(100_000, description="Frames in the store.")
    size: Count = Field(160, description="Height and width of a frame, pixels.")
    batch: Count = Field(256, description="Frames a batch.")
    warm: Count = Field(4096, description="Frames that are drawn from; they fit in memory.")
    threads: Count = Field(1, description="Processor cores to use.")
    seconds: float = Field(3.0, ge=0.01, description="Duration of each measurement.")
    folder: Path | None = Field(None, description="Where the store is made, for another disk.")


class ImportBench(Config):
    """`bench import`."""

    frames: Count = Field(10_000, description="Pictures that are imported.")
    size: int = Field(160, ge=16, description="Height and width of a picture, pixels.")
    workers: Count = Field(1, description="Processes, as for `data import`.")
    folder: Path | None = Field(None, description="Where all is made, for another disk.")


class KernelBench(Config):
    """`bench kernels`."""

    batch: tuple[Count, ...] = Field((32, 256), description="Batch sizes; repeated.")
    threads: Count = Field(1, description="Processor cores to use.")
    seconds: float = Field(3.0, ge=0.01, description="Duration of each measurement.")
    device: Literal["cpu", "cuda"] = Field("cpu", description="cpu or cuda.")


class SessionBench(Config):
    """`bench sessions`. backend, precision: as for `export`, several with commas."""

    engine: Path | None = Field(
        None, description="Engine folder of the one network; without it, engines are exported for this run."
    )
    graph: str = Field("pose", description="pose, encode, decode or regress.")
    backend: str = Field("onnx", description="As for export, when exporting.")
    precision: str = Field("fp32,int8", description="As for export, when exporting.")
    batch: tuple[Count, ...] = Field((1, 32), description="Batch sizes; repeated.")
    threads: Count = Field(1, description="Processor cores to use.")
    seconds: float = Field(3.0, ge=0, description="Duration of each measurement.")
    device: Literal["cpu", "cuda"] = Field("cpu", description="cpu or cuda.")
    data: Path | None = Field(None, description=SOURCE)
    frames: int = Field(128, ge=2, description="Frames for parity, and as many to calibrate.")


class StepBench(Config):
    """`bench step`."""

    source: Path | None = Field(None, description=SOURCE)
    target: str = Field("zoo:nsd", description=TARGET)
    name: tuple[str, ...] = Field(
        ("plain", "eager", "fused", "compiled"), description="Who takes part; repeated."
    )
    batch: tuple[Count, ...] = Field((1, 4, 16, 64), description="Batch sizes; repeated.")
    seconds: float = Field(3.0, ge=0, description="Duration of each measurement.")
    rounds: Count = Field(3, description="Turns that the back-ends take.")
    frames: int = Field(
        256, ge=0, description="Frames of 1000² in slots while a GPU's waits and bytes are counted; 0: not."
    )
    threads: Count | None = Field(None, description="Processor cores to use; PyTorch's own number if none.")
    device: str = Field("auto", description=DEVICE)


class AttackBench(Config):
    """`bench attack`. name: None for the plain loop, the engine's steps and the engine as commanded."""

    source: Path | None = Field(None, description=SOURCE)
    target: str = Field("zoo:nsd", description=TARGET)
    name: tuple[str, ...] | None = Field(
        None,
        description="plain, expert, eager, fused, compiled, auto-same, auto, command (these if none);"
        " foolbox, art; repeated.",
    )
    samples: Count = Field(256, description="Held-out frames.")
    batch: Count = Field(256, description="Samples that the engine attacks at once.")
    plain_batch: Count = Field(32, description="Batch of the plain loop and of peers.")
    optimiser: str = Field(
        "adam", description="Of all but auto: adam, sgd or sign; without plain also polyak."
    )
    step_size: float | None = Field(
        None, description="Likewise, in units of the code; the optimiser's own if none."
    )
    max_steps: int = Field(200, ge=0, description="Updates of a sample at most.")
    min_error_mm: float = Field(175.0, description="Success is an MPJPE above this, mm.")
    peer_steps: Count = Field(40, description="Steps of foolbox and art, which never stop early.")
    rounds: Count = Field(1, description="Repeats; the median counts.")
    threads: Count | None = Field(None, description="Processor cores to use; PyTorch's own number if none.")
    seed: int = Field(0, description="Picks the samples.")
    device: str = Field("auto", description=DEVICE)


class LongRunBench(Config):
    """`bench long-run`."""

    source: Path | None = Field(
        None, description="Packed set to attack; without one, synthetic frames, made in FOLDER/data."
    )
    target: str = Field("zoo:nsd", description=TARGET)
    samples: Count = Field(10_000, description="Frames to attack.")
    max_steps: int = Field(200, ge=0, description="Updates of a sample at most.")
    batch: Count = Field(256, description="Samples attacked at once.")
    backend: str | None = Field(None, description="How a step is computed; the attack's own choice if none.")
    kills: int = Field(2, ge=0, description="How often the second run is killed (SIGKILL).")
