"""dpa.models: what is learned, and from what: networks, frameworks, data, training, the zoo."""

if not __name__.startswith("dpa."):
    raise ImportError("import dpa.models (the folder 'models' is part of the package 'dpa')")
