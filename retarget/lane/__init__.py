"""The lane: one partition's clock, held events and waits, and the loop that works them off in order."""
