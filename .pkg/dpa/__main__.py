"""`python -m dpa`: the command line, where the script dpa-engine is not on the path."""

from dpa.engine.cli import main

if __name__ == "__main__":
    main()
