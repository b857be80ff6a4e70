"""dpa.engine.report.drawings: the paper's figures over all networks of a reproduction, one file a kind. Each
takes findings and returns a matplotlib Figure; `images=False` draws what can be shown without any frame."""
