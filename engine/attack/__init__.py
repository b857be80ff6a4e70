"""dpa.engine.attack: Algorithm 1, the appearance-only attack, over many samples at once."""
