"""What a witness is worth: how often it passes true changes of outfit and rejects pictures that have lost a
limb. Its model card says both."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dpa.engine.analysis.analyses.counterfactual import counterfactual_stores
from dpa.engine.analysis.codes import predict_rows
from dpa.engine.attack.evidence import WITHIN_MM
from dpa.models.data.store import PackedStore
from dpa.models.frameworks.base import DisentangledNetwork
from dpa.models.frameworks.limbs import LIMBS, hide_limbs, in_crop, joints_in_frame
from dpa.models.training.batches import BatchSource
from dpa.models.training.validation import Validation, mpjpe

AT_ONCE = 32

CARD = """# zoo:{name}

A pose network that no attack is made on (framework `witness`, preset `{preset}`): says whether a picture
still shows its pose. Supervised on {frames:,} frames of synthetic people whose clothes, skin and light are
new at every moment.

| known answer | share |
|---|---|
| passes a true change of outfit: moves by {within:g} mm at most ({changes:,} pairs) | {passed:.1f} % |
| rejects a frame with an erased limb | {erased:.1f} % |
| rejects a frame with a limb painted over in the trunk's colour | {melted:.1f} % |

Box IoU {box_iou:.3f} on {n} frames that no training saw. A limb that it does not see it reads two metres
away, so that any measure of distance tells. It measures synthetic people only.
"""


@dataclass(frozen=True)
class KnownAnswers:
    """How far the witness's pose moves, mm. outfits: [n], under a true change of outfit; erased, melted: [m,
    4], where one of LIMBS is lost, see `hide_limbs`."""

    outfits: NDArray[np.float64]
    erased: NDArray[np.float64]
    melted: NDArray[np.float64]

    def shares(self) -> dict[str, float]:
        """Percentages: passed of the first, rejected of the others."""
        return {
            "passed": 100 * float((self.outfits <= WITHIN_MM).mean()),
            "erased": 100 * float((self.erased > WITHIN_MM).mean()),
            "melted": 100 * float((self.melted > WITHIN_MM).mean()),
        }


def outfit_shifts(
    witness: DisentangledNetwork, stores: dict[str, PackedStore], device: torch.device
) -> NDArray[np.float64]:
    """MPJPE [n] mm between what it reads of a moment in the body's own outfit and in each other. stores: by
    outfit, the same moments in each."""
    rows = np.arange(len(next(iter(stores.values()))))
    read = {outfit: predict_rows(witness, store, rows, device) for outfit, store in stores.items()}
    shifts = [
        mpjpe(read[outfit][worn], read[str(body)][worn])
        for outfit, store in stores.items()
        for body in np.unique(store.subject)
        if outfit != body and len(worn := np.flatnonzero(store.subject == body))
    ]
    return np.concatenate(shifts)


def lost_limb_shifts(
    witness: DisentangledNetwork,
    store: PackedStore,
    rows: NDArray[np.int64],
    melted: bool,
    device: torch.device,
) -> NDArray[np.float64]:
    """MPJPE [n, 4] mm between what it reads of a frame and of the same frame without one of LIMBS."""
    source = BatchSource(store, device, labelled=True)
    parts = []
    for start in range(0, len(rows), AT_ONCE):
        batch = source.batch(rows[start : start + AT_ONCE])
        count = len(batch)
        whole = batch.frames.new_tensor([1.0, 1.0, 0.0, 0.0]).expand(count, 4)
        points, unit = joints_in_frame(batch.pose, batch.true_box)  # type: ignore[attr-defined]
        plates, marks = batch.plates[batch.plate_index], torch.full((count,), melted, device=device)
        with torch.no_grad():
            before = witness.predict(batch.frames).double().cpu().numpy()
            moved = []
            for limb in range(len(LIMBS)):
                which = torch.full((count,), limb, device=device)
                frames = hide_limbs(batch.frames, plates, in_crop(points, whole), unit, which, marks)
                moved.append(mpjpe(witness.predict(frames).double().cpu().numpy(), before))
        parts.append(np.stack(moved, axis=1))
    return np.concatenate(parts)


def known_answers(
    witness: DisentangledNetwork, evaluation: PackedStore, device: torch.device
) -> KnownAnswers:
    """On the sets of the counterfactual, and on every fourth frame of the evaluation set."""
    rows = np.arange(0, len(evaluation), 4)
    return KnownAnswers(
        outfits=outfit_shifts(witness, counterfactual_stores(), device),
        erased=lost_limb_shifts(witness, evaluation, rows, False, device),
        melted=lost_limb_shifts(witness, evaluation, rows, True, device),
    )


def witness_card(name: str, preset: str, frames: int, measured: Validation, known: KnownAnswers) -> str:
    """The card's Markdown."""
    return CARD.format(
        name=name,
        preset=preset,
        frames=frames,
        within=WITHIN_MM,
        changes=len(known.outfits),
        box_iou=float(measured.box_iou.mean()),
        n=len(measured.box_iou),
        **known.shares(),
    )
