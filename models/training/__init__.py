"""dpa.models.training: one loop for all frameworks, the regressor fit, checkpoints."""
