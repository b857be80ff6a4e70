"""What a result was made with: versions and devices. Nothing that names the machine or its user."""

import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "dpa-engine",
    "torch",
    "numpy",
    "scipy",
    "pyarrow",
    "safetensors",
    "onnx",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "tensorrt",
    "tensorrt-rtx-cu13",
    "cuda-core",
)


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """The installed ones of the packages, by default those that a result can depend on, with Python's own
    version first."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def processor() -> str:
    """The processor's model as it calls itself, or its architecture where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def devices() -> dict[str, str]:
    """Devices that PyTorch can compute on: {"cpu": its model, "cuda:0": its name, …}."""
    import torch

    found = {"cpu": f"{processor()}, {cores()} cores"}
    if torch.cuda.is_available():
        found |= {f"cuda:{i}": torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())}
    return found


def environment() -> dict[str, object]:
    """What env.json holds."""
    return {
        "versions": versions(),
        "devices": devices(),
        "platform": {
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
        },
    }
