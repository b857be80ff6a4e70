"""dpa.engine.attack.steps: implementations of one attack step, all judged by the same judge."""
