"""dpa.engine.sessions: one Session protocol over torch, ONNX Runtime and compiled back-ends."""
