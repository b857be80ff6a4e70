"""dpa.engine.drawing: what every figure is made of: style, rows of pictures, bars, skeletons."""
