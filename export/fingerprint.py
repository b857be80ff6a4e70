"""What identifies an exported engine: the network's weights and the versions that made it."""

import hashlib
from importlib import metadata

from dpa.models.frameworks.base import DisentangledNetwork

PACKAGES = ("dpa-engine", "torch", "onnx", "onnxscript", "onnxruntime", "onnxruntime-gpu", "openvino")


def weights_fingerprint(network: DisentangledNetwork) -> str:
    """SHA-256 over configuration, names, shapes, dtypes and bytes of every parameter and buffer."""
    digest = hashlib.sha256()
    digest.update(type(network).__qualname__.encode())
    digest.update(network.framework.encode())
    digest.update(network.config.model_dump_json().encode())
    for name, value in sorted(network.state_dict().items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def package_versions() -> dict[str, str]:
    """Versions of the installed packages that have a say in an engine's bytes or figures."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
