"""dpa.models.data.synthetic: seven procedural people in a four-camera room."""
