"""dpa.engine.analysis.figures: one file a figure of the paper. Each takes results and returns a matplotlib
Figure that the caller writes."""
