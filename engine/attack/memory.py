"""When memory runs out: the same work in smaller parts, and nothing that was reached is lost."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from dpa.engine.attack.backends.protocol import StepBackend, StepResult
from dpa.engine.attack.scene import Scene
from dpa.models.errors import DpaError

Result = TypeVar("Result")

SAYINGS = ("out of memory", "not enough memory", "allocate memory", "bad allocation", "alloc_failed")
"""How PyTorch, cuBLAS and ONNX Runtime say it where the error has no class of its own."""

log = logging.getLogger(__name__)


class OutOfMemory(DpaError):
    """The smallest piece of work does not fit."""

    def __init__(self, rows: int, complaint: str) -> None:
        samples = "one sample" if rows == 1 else f"{rows} samples, the smallest call"
        super().__init__(
            f"out of memory with {samples}: {complaint}\n"
            f"  kept:  every sample that had ended\n"
            f"  to do: end other programs or choose a smaller network, then resume the run"
        )


def memory_ran_out(error: Exception) -> bool:
    """Whether an error says that memory could not be had, on any device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(saying in str(error).lower() for saying in SAYINGS)


def attempt(work: Callable[[], Result], device: torch.device) -> tuple[Result | None, str]:
    """(what `work` returned, "") or, where memory ran out, (None, the complaint). The error itself is not
    handed out: its traceback would keep alive what filled the memory."""
    try:
        return work(), ""
    except Exception as error:
        if not memory_ran_out(error):
            raise
        complaint = (str(error) or type(error).__name__).splitlines()[0]
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return None, complaint


def in_halves(work: Callable[[Tensor], Result], rows: Tensor) -> list[Result]:
    """[work(rows)], or what it returns for each part of `rows` [n] where memory does not suffice for all.
    Raises OutOfMemory where it does not for one."""
    result, complaint = attempt(lambda: work(rows), rows.device)
    if result is not None:
        return [result]
    if len(rows) == 1:
        raise OutOfMemory(1, complaint)
    log.info("out of memory with %d samples in one call: %s; in halves", len(rows), complaint)
    return [part for half in rows.chunk(2) for part in in_halves(work, half)]


@dataclass(frozen=True)
class Limited:
    """A step back-end in calls of at most `most` rows; its smallest call stays."""

    backend: StepBackend
    most: int

    @property
    def name(self) -> str:
        """The back-end's."""
        return self.backend.name

    @property
    def sizes(self) -> tuple[int, ...]:
        """Those of its sizes that are allowed."""
        return tuple(size for size in self.backend.sizes if size <= self.most) or self.backend.sizes[:1]

    def prefix(self, pose_code: Tensor) -> Tensor:
        """See StepBackend."""
        return self.backend.prefix(pose_code)

    def __call__(self, h_a: Tensor, scene: Scene) -> StepResult:
        """See StepBackend."""
        return self.backend(h_a, scene)
