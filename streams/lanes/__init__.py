"""Lanes at work: claim, replay, and the loop of gather, load, step, commit, checkpoint."""
