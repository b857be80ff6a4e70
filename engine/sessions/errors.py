"""Named errors of the sessions room: packages, inputs, devices, models, engine folders."""

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


class EngineFolderError(InputError):
    """Base of everything that keeps an engine folder from being loaded."""


class NotAnEngineFolder(EngineFolderError):
    """The folder, or its manifest.json, is not there."""


class MalformedManifest(EngineFolderError):
    """manifest.json is too large, is not JSON, or does not hold what a manifest holds."""


class WrongManifestVersion(EngineFolderError):
    """manifest.json was written in a format that this version does not read."""


class UnsafeFile(EngineFolderError):
    """A listed file lies outside the folder, or is a link, or is not a plain file."""


class MissingFile(EngineFolderError):
    """A file that the manifest lists is not there."""


class OversizedFile(EngineFolderError):
    """A file is larger than any engine may be."""


class ChangedFile(EngineFolderError):
    """A file's size or SHA-256 is not what the manifest says."""


class MalformedOnnx(EngineFolderError):
    """An ONNX file that is not a well-formed model."""


class ExternalData(EngineFolderError):
    """An ONNX file that wants to read weights from other files."""


class StalePlan(EngineFolderError):
    """A TensorRT plan that was built for another network, TensorRT version, GPU or platform."""


class ForeignPlan(EngineFolderError):
    """A TensorRT plan that this machine has no record of having built."""


class NoSuchEngine(EngineFolderError):
    """The folder holds no engine for the graph, back-end and precision asked for."""
