"""Test cases of rules: events at times, and what must come of them, run through the lane's own code."""
