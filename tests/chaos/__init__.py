"""The promises of docs/guarantees.md, each tried against the real server process with the fault that it names.

`python -m tests.chaos` prints one line a promise; pytest runs the same functions (test_chaos.py).
"""
