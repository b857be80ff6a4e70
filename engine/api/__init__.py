"""dpa.engine.api: what only the Python interface has; the rest it shares with the command line."""
