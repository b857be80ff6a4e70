"""dpa.engine: what runs: sessions, the attack, analyses, run directories, reports, the command line."""

if not __name__.startswith("dpa."):
    raise ImportError("import dpa.engine (the folder 'engine' is part of the package 'dpa')")
