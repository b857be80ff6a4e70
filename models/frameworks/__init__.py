"""dpa.models.frameworks: one file a framework (its objective); base.py is what all of them offer."""
