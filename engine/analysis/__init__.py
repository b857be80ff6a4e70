"""dpa.engine.analysis: sections 4 and 6 of the paper as pure functions: what the two codes hold, measured
and shown. Every analysis has a small frozen result, a table and a figure."""
