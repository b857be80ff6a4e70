"""One named error for each reason why an engine folder is not loaded."""

from dpa.models.errors import InputError


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
