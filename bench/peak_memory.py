"""Peak memory while something runs."""

from collections.abc import Callable
from pathlib import Path

import torch

CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def peak_mb(work: Callable[[], object], device: torch.device) -> float | None:
    """MB: on a GPU what PyTorch has allocated at most, on a CPU the process's most resident memory, with
    weights and libraries. None where the system does not tell."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        work()
        return torch.cuda.max_memory_allocated(device) / 1e6
    try:
        CLEAR.write_text("5")  # Linux: the high-water mark starts again from here
        work()
        lines = STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM")), None)
