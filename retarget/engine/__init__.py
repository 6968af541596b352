"""The engine: one event or one due wait at a time, on one journey; decisions and messages come out."""
