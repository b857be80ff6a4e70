"""dpa.bench: throughput and latency, side by side with naive and peer implementations."""

if not __name__.startswith("dpa."):
    raise ImportError("import dpa.bench (the folder 'bench' is part of the package 'dpa')")
