"""Twelve weeks of history, played through the use cases as people would have, on a clock set back.

Nothing is inserted past them. `python -m marketplace.demo.history` goes on where it was stopped: every step
looks first at what is already there. Its progress is in `DATA/progress.json`.
"""
