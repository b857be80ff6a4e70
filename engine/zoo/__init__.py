"""dpa.engine.zoo: builds the bundled networks from their recipes and writes their model cards."""
