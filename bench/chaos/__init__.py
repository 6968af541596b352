"""Chaos on real parts: broker, stores and workers as processes, and seeded faults under load."""
