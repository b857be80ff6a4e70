"""What machine this is."""

import subprocess
from shutil import which

import torch

from dpa.bench.gpu.section import Notebook, NotExecuted, Setting
from dpa.bench.roofline import matmul_gflops, memory_gb_per_s
from dpa.models.devices import device_name, waiter

QUERY = "name,driver_version,memory.total,clocks.max.sm,clocks.max.memory,power.limit"


def facts(book: Notebook, setting: Setting) -> None:
    """The GPU, its driver, what `doctor` finds, and the two ceilings of this machine."""
    device = setting.device
    with book.entry("GPU") as found:
        found["name"] = device_name(device)
        if device.type == "cuda":
            one = torch.cuda.get_device_properties(device)
            found |= {
                "devices": torch.cuda.device_count(),
                "compute_capability": f"{one.major}.{one.minor}",
                "multiprocessors": one.multi_processor_count,
                "memory_gb": one.total_memory / 1e9,
                "l2_mb": one.L2_cache_size / 1e6,
                "cuda": torch.version.cuda,
                "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
            }
    with book.entry("driver") as found:
        tool = which("nvidia-smi")
        if tool is None or device.type != "cuda":
            raise NotExecuted("nvidia-smi")
        asked = [tool, f"--query-gpu={QUERY}", "--format=csv"]
        found["nvidia_smi"] = subprocess.run(
            asked, capture_output=True, text=True, timeout=20, check=True
        ).stdout.splitlines()
    with book.entry("ceilings") as found:
        seconds = setting.pick(0.5, 0.05)
        rates = (
            matmul_gflops(device, duration_s=seconds, synchronise=waiter(device))
            if device.type == "cuda"
            else {}
        )
        found["matmul_gflops"] = rates
        found["copy_gb_per_s"] = memory_gb_per_s(device, duration_s=seconds, synchronise=waiter(device))
    with book.entry("doctor") as found:
        from dpa.engine.doctor import examine

        found.update(examine().to_json())
