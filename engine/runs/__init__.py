"""dpa.engine.runs: run directories, written atomically and resumable."""
