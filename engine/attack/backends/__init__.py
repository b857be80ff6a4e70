"""dpa.engine.attack.backends: implementations of one attack step, all judged by the same judge."""
