"""dpa.export: trained networks to ONNX and TensorRT, with parity in millimetres."""

if not __name__.startswith("dpa."):
    raise ImportError("import dpa.export (the folder 'export' is part of the package 'dpa')")

from typing import TYPE_CHECKING

from dpa.engine.attack.steps.compiled import offer_exporter

if TYPE_CHECKING:
    from dpa.engine.attack.steps.compiled import GradientExporter


def _gradients() -> "GradientExporter":
    from dpa.export.gradient import CachedGradients

    return CachedGradients()


offer_exporter(_gradients)  # the attack's compiled step: the engine imports nothing of this room
