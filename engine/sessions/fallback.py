"""Which back-end runs when none was named: the first of a stated order that really works here, with
one log line for each that does not."""

import logging
from collections.abc import Callable, Mapping

from dpa.engine.sessions.errors import MissingPackage, ProviderUnavailable
from dpa.engine.sessions.protocol import Session
from dpa.models.errors import DpaError

ORDER = ("tensorrt", "onnxruntime", "openvino", "torch")
"""Fastest on its own device first; torch is always there."""

log = logging.getLogger(__name__)


class NoBackend(DpaError):
    """None of the back-ends that could run a graph works on this machine."""


def first_working(candidates: Mapping[str, Callable[[], Session]]) -> Session:
    """Open the candidates (back-end name → opener) in ORDER and return the first that opens.

    Only a missing package or device is passed over; a refused file is an error, not a reason to run
    something else. Raises NoBackend when nothing is left.
    """
    refusals = []
    for name in ORDER:
        if name not in candidates:
            continue
        try:
            session = candidates[name]()
        except (MissingPackage, ProviderUnavailable) as error:
            refusals.append(f"{name}: {error.found} ({error.remedy})")
            continue
        if refusals:
            log.warning("running on %s instead of %s", session.backend, "; ".join(refusals))
        return session
    raise NoBackend("no back-end works here: " + ("; ".join(refusals) or "none was offered"))
