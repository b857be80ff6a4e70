"""dpa.kernels: the fused composite-and-crop operation on CPU and CUDA, and its PyTorch twin."""

if not __name__.startswith("dpa."):
    raise ImportError("import dpa.kernels (the folder 'kernels' is part of the package 'dpa')")
