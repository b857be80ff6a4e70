"""Samples to try a step on before the attack has any: pictures of noise over the plates."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from dpa.engine.attack.objective import Objective
from dpa.engine.attack.scene import Scene

GRAIN = 8
"""Side of the noise before it is smoothed up to a frame, pixels."""


@torch.no_grad()
def probe(
    objective: Objective, prefix: Callable[[Tensor], Tensor], rows: int, seed: int
) -> tuple[Tensor, Scene]:
    """h_a [rows, A] some way off where an attack would begin, and the scene; `seed` decides both."""
    plates, generator = objective.plates, objective.generator
    dice = torch.Generator().manual_seed(seed)
    plate_index = torch.randint(len(plates), (rows,), generator=dice).to(plates.device)
    noise = torch.rand(rows, 3, GRAIN, GRAIN, generator=dice).to(plates)
    frames = (plates[plate_index] + F.interpolate(noise, size=plates.shape[-2:], mode="bilinear")) / 2
    box = generator.localise(frames)
    h_a, h_p = generator.encode(generator.crop(frames, box))
    mask = generator.decode(h_a, h_p)[1]
    reference = objective.target.predict(frames)
    away = torch.randn(h_a.shape, generator=dice).to(h_a)
    return h_a + 0.3 * away, Scene(h_p, mask, box, plate_index, reference, prefix(h_p))
