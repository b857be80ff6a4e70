"""Transfer to a target that gives no gradient: what is climbed in its place."""

import logging
from typing import cast

from dpa.engine.attack.roles import Generator, Target
from dpa.models.frameworks.program import ProgramNetwork

log = logging.getLogger(__name__)


def climbed_target(generator: Generator, target: Target) -> Target:
    """Whose pose error the steps ascend: the target's own, or, where the target is a compiled program, that
    of the generator's network, against the program's own prediction q (the project's choice). The judge asks
    the program itself whenever the surrogate's error passes the threshold, so success is the program's.

    generator: must be able to predict poses as well; every network that `load_network` returns can, once
    its regressor is fitted.
    """
    if not isinstance(target, ProgramNetwork):
        return target
    log.warning(
        "steps climb the generator's own pose error: %s gives no gradient, and only judges", target.name
    )
    return cast(Target, generator)
