"""Backtests: the touchpoints of files or of a topic under one set of rules, or two, and what differs.

Read once, split by person into temporary files (`reading`, `splitting`, `spill`), each part worked through by the
lane code of a worker (`parts`), on every core (`pool`); what is kept are figures, never decisions (`figures`).
"""

from streams.backtest.figures import Comparison, Figures
from streams.backtest.pool import Plan, backtest
from streams.backtest.report import Report

__all__ = ["Comparison", "Figures", "Plan", "Report", "backtest"]
