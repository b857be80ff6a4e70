"""dpa.engine.reproduce: the whole paper by one command: every stage kept under a key of its inputs."""
