"""How the processes of a pool end: with the one that started them, however that ends."""

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait


def end_with_parent() -> None:
    """For a pool's process, at its start. Processes outlive a parent that was killed, and would go on
    writing: these do not. Ctrl-C, which reaches all of them, is the parent's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None  # only called in a pool's process

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
