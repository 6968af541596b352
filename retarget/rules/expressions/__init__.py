"""The small typed language of rule conditions; `retarget.rules.conditions` is its door."""
