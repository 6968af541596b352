"""Benchmarks: programs run by hand, whose figures stand in docs/performance.md."""
