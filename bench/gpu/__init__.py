"""dpa.bench.gpu: whether everything is right on a GPU, and how fast it is, in one command with a budget.

`plan` names the sections and runs each in a process of its own; `section` is that process; the other modules
hold what the sections do. A rehearsal runs the same sections, tiny, on the stand-in (`dpa.bench.stand_in`).
"""
