"""Journeys: what is kept of a person, how events change it, how it is stored."""
