"""dpa.export: trained networks to ONNX and TensorRT, with parity in millimetres."""

if not __name__.startswith("dpa."):
    raise ImportError("import dpa.export (the folder 'export' is part of the package 'dpa')")
