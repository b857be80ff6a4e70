"""dpa.engine.prediction: images, folders, packed sets and videos to 3D poses, as a stream."""
