"""Backtests: the touchpoints of files or of a topic under one set of rules, or two, and what differs.

They are read once and split by person into temporary files (`splitting`, `spill`). Each part is worked off
by the code of a lane (`parts`), on all cores (`pool`). What is kept are figures, not decisions.
"""
