"""dpa.engine.calibration: instruments are believed once they read known cases right."""
