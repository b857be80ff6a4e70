"""The learning rate of a training's phases."""

import math

from dpa.models.training.config import TrainConfig


def learning_rate_at(step: int, config: TrainConfig) -> float:
    """Linear warm-up, again where joint training and refinement begin; a cosine to 1 % over `steps`, another
    over the refinement's (the project's choice)."""
    if step >= config.steps:
        peak = config.learning_rate * config.refinement.rate
        return peak * _warm_cosine(step - config.steps, config.warm_up, config.refinement.steps)
    since = step - config.localiser_start if step >= config.localiser_start else step
    if since < config.warm_up:
        return config.learning_rate * (since + 1) / config.warm_up
    return config.learning_rate * cosine(step - config.warm_up, config.steps - config.warm_up)


def _warm_cosine(step: int, warm_up: int, steps: int) -> float:
    return (step + 1) / warm_up if step < warm_up else cosine(step - warm_up, steps - warm_up)


def cosine(step: int, steps: int) -> float:
    """From 1 at step 0 to 0.01 at `steps`."""
    return 0.01 + 0.99 * (1 + math.cos(math.pi * step / max(1, steps))) / 2
