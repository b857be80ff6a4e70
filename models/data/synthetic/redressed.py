"""True re-dressed pairs: every moment of a synthetic set in several outfits, in one packed store."""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from dpa.models.data.contract import COLUMNS
from dpa.models.data.store import PackedStore, PackedStoreWriter
from dpa.models.data.synthetic.config import SynthConfig
from dpa.models.data.synthetic.generate import generate

CHUNK = 512
"""Frames copied at once: bounds memory."""

Progress = Callable[[int, int], None]
"""Called with (images done, images in all) of the outfit that is being rendered."""


def generate_redressed(
    config: SynthConfig, outfits: Sequence[str], out: Path, progress: Progress | None = None
) -> PackedStore:
    """The set that `config` describes, once in each outfit, one after the other.

    Rows that show the same moment share subject, sequence, camera and frame, and differ in `outfit` alone.
    Renders each outfit beside `out` first. Raises OutputExists, DiskFull.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
        stores = [
            generate(config.model_copy(update={"outfit": outfit}), Path(scratch) / outfit, progress)
            for outfit in outfits
        ]
        first = stores[0]
        plates = np.concatenate([store.plates for store in stores])
        count = sum(len(store) for store in stores)
        meta = {**first.meta, "outfits": list(outfits)}
        with PackedStoreWriter(
            out,
            cameras=first.cameras,
            plates=plates,
            fps=config.fps,
            seed=config.seed,
            source="synthetic",
            count=count,
            meta=meta,
        ) as writer:
            start = 0
            for number, store in enumerate(stores):
                _copy(writer, start, store, number * len(first.plates))
                start += len(store)
    return PackedStore.open(out)


def _copy(writer: PackedStoreWriter, start: int, store: PackedStore, first_plate: int) -> None:
    for begin in range(0, len(store), CHUNK):
        rows = np.arange(begin, min(begin + CHUNK, len(store)))
        columns = {name: getattr(store, name)[rows] for name in COLUMNS.names or ()}
        columns["plate"] = columns["plate"] + first_plate
        writer.write(
            start + begin,
            np.asarray(store.frames[rows]),
            store.silhouettes(rows),
            np.asarray(store.poses[rows]),
            columns,
        )
