"""dpa.models.data: the data contract, the packed store, the synthetic people."""
