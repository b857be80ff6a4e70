"""dpa: how far pose and appearance are disentangled in self-supervised 3D human pose networks.

The sub-packages are symbolic links to the repository's top-level folders, so that the house keeps
its rooms at the top while the import package has a name of its own.
"""

__version__ = "0.1.0"
