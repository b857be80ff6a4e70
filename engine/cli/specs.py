"""How the help of every command says what a network may be named by."""

NETWORK = "zoo:NAME, a run directory or my_module:load"

NAMED = "NAME=SPEC, SPEC a run directory or my_module:load"
"""Where several networks each need a name of their own."""
