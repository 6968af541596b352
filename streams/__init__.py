"""The runtime: everything that awaits. It reads, asks the core, commits and checkpoints."""
