"""Named errors of the sessions room: a missing package, an input that does not fit, a device that
is not there, a model that a back-end refuses."""

from collections.abc import Iterator
from contextlib import contextmanager

from dpa.models.errors import DpaError, InputError


class MissingPackage(InputError):
    """A back-end's package is not installed; the message names the extra that brings it."""

    def __init__(self, package: str, extra: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(
            found=f"the package {package!r} is not installed",
            expected=f"the extra {extra!r}",
            remedy=f"pip install 'dpa-engine[{extra}]'",
        )


class SessionInput(InputError):
    """A value given to a session has the wrong name, shape, dtype or kind."""


class ProviderUnavailable(InputError):
    """The session was asked for a device that it does not really run on."""


class UnknownBackend(InputError):
    """A back-end's name that no session answers to."""


class RefusedModel(InputError):
    """A well-formed file whose network a back-end does not take."""


class RunFailed(DpaError):
    """A back-end gave up in the middle of a run."""


@contextmanager
def refusals_named(backend: str) -> Iterator[None]:
    """Whatever a back-end raises over a model becomes RefusedModel, with its own first line."""
    try:
        yield
    except DpaError:
        raise
    except Exception as error:
        raise RefusedModel(
            found=f"{backend} refuses the model: {_first_line(error)}",
            expected="a network that it can run",
            remedy="export the network again, or choose another back-end",
        ) from error


@contextmanager
def failures_named(backend: str) -> Iterator[None]:
    """Whatever a back-end raises during a run becomes RunFailed, with its own first line."""
    try:
        yield
    except DpaError:
        raise
    except Exception as error:
        raise RunFailed(f"{backend} failed while running: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
