"""What survives on the way to a network: the attacked pictures after JPEG and after a slight blur."""

import io
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from dpa.engine.attack.objective import mpjpe
from dpa.engine.attack.state import Status
from dpa.engine.attack.summary import rate
from dpa.engine.attack.writer import PICTURES, read_samples
from dpa.engine.runs.directory import RunDirectory
from dpa.models.data.store import as_images
from dpa.models.frameworks.base import DisentangledNetwork

Picture = NDArray[np.uint8]

QUALITY = 90
BLUR = 0.7
"""Standard deviation in pixels of the frame."""
AT_ONCE = 32
"""Frames that the target reads together: bounds memory, not results."""


def jpeg(picture: Picture) -> Picture:
    """uint8 [H, W, 3] → the same after JPEG at quality 90, as Pillow writes it (4:2:0)."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=QUALITY)
    return np.asarray(Image.open(file).convert("RGB"))


def blurred(picture: Picture) -> Picture:
    """uint8 [H, W, 3] → the same after a Gaussian blur of 0.7 pixels."""
    smooth = gaussian_filter(picture.astype(np.float32), sigma=(BLUR, BLUR, 0))
    rounded: Picture = smooth.round().clip(0, 255).astype(np.uint8)
    return rounded


TREATMENTS: Mapping[str, Callable[[Picture], Picture]] = {"jpeg_90": jpeg, "blur_0_7": blurred}


def survival(
    run: RunDirectory, target: DisentangledNetwork, device: torch.device, min_error_mm: float
) -> dict[str, object]:
    """Success of the samples whose pictures the run kept, as it was, and after each of TREATMENTS: NAME with
    its 95 % interval over clips. A sample succeeds where the target's pose on the treated picture is as far
    from its pose on the input as the threshold asks, and it had succeeded before. {} where none was kept."""
    samples = read_samples(run, ["status", "success", "sequence", "initial_pose"])
    place = {int(index): number for number, index in enumerate(samples["index"])}
    rows: list[int] = []
    errors: dict[str, list[NDArray[np.floating]]] = {name: [] for name in TREATMENTS}
    for shard in run.shard_numbers(PICTURES):
        part = run.read_shard(PICTURES, shard)
        kept = [number for number, index in enumerate(part["index"]) if _sound(samples, place[int(index)])]
        for begin in range(0, len(kept), AT_ONCE):
            some = kept[begin : begin + AT_ONCE]
            numbers = [place[int(part["index"][one])] for one in some]
            rows += numbers
            before = torch.from_numpy(samples["initial_pose"][numbers]).to(device)
            for name, treat in TREATMENTS.items():
                frames = np.stack([treat(part["adversarial"][one].astype(np.uint8)) for one in some])
                with torch.no_grad():
                    pose = target.predict(as_images(frames).to(device))
                errors[name].append(mpjpe(pose, before).double().cpu().numpy())
    if not rows:
        return {}
    won, clips = samples["success"][rows].astype(bool), samples["sequence"][rows]
    told: dict[str, object] = {"n": len(rows), **rate("untreated", won, clips)}
    for name, values in errors.items():
        told |= rate(name, won & (np.concatenate(values) > min_error_mm), clips)
    return told


def _sound(samples: Mapping[str, NDArray[np.generic]], row: int) -> bool:
    return samples["status"][row] not in (Status.NONFINITE, Status.NO_GRADIENT)
