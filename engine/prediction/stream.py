"""The loop of `predict`: frames in, batches through a pose session, poses out, bad files set aside."""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dpa.engine.prediction.sources import Frame, Unreadable
from dpa.engine.prediction.writers import Batch, Write
from dpa.engine.sessions.protocol import Session


@dataclass
class Tally:
    """What a stream came to. seconds: from the first frame asked for to the last pose written; first_mb,
    last_mb: resident memory of the process after the first and after the last batch, MB (None where
    the system does not tell), so that a long run shows by itself whether it stays flat."""

    predicted: int = 0
    quarantined: list[Unreadable] = field(default_factory=list)
    seconds: float = 0.0
    first_mb: float | None = None
    last_mb: float | None = None

    @property
    def images_per_s(self) -> float:
        """Poses written a second, reading and decoding included."""
        return self.predicted / self.seconds if self.seconds else 0.0


def predict_stream(
    session: Session,
    items: Iterable[Frame | Unreadable],
    write: Write,
    batch: int,
    progress: Callable[[Tally], None] | None = None,
) -> Tally:
    """Run a pose session (frames → pose, box) over a stream, `batch` frames at a time.

    Frames of another size start a new batch. An unreadable file is put on the tally and the rest goes
    on.
    """
    tally, held, started = Tally(), list[Frame](), time.perf_counter()

    def flush() -> None:
        if held:
            write(_run(session, held))
            tally.predicted += len(held)
            held.clear()
            tally.last_mb = resident_mb()
            tally.first_mb = tally.first_mb or tally.last_mb
        tally.seconds = time.perf_counter() - started
        if progress is not None:
            progress(tally)

    for item in items:
        if isinstance(item, Unreadable):
            tally.quarantined.append(item)
            continue
        if held and held[0].pixels.shape != item.pixels.shape:
            flush()
        held.append(item)
        if len(held) == batch:
            flush()
    flush()
    return tally


def resident_mb() -> float | None:
    """Resident memory of this process, MB; None where /proc does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _run(session: Session, held: list[Frame]) -> Batch:
    pixels = np.stack([frame.pixels for frame in held])
    frames = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32)
    frames /= 255
    made = session.run(frames)
    sources, indices = [frame.source for frame in held], [frame.index for frame in held]
    return Batch(sources, indices, pixels, made["pose"], made["box"])
