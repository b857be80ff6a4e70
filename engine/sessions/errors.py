"""Named errors of the sessions room: a missing package, an input that does not fit, a device that
is not there."""

from dpa.models.errors import InputError


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
