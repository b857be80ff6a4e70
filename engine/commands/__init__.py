"""dpa.engine.commands: the command line, one light module a command; heavy imports stay inside."""
