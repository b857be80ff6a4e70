"""dpa.models.zoo: small trained networks, a folder with a model card each."""
