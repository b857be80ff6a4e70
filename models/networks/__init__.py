"""dpa.models.networks: nn.Modules without any training code."""
