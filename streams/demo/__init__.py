"""`retarget demo`: the whole engine on one machine, a simulated shop before it, and what it does, in words.

Servers come from `streams.embedded`, people from `streams.shop`; the worker is the one that `retarget run`
starts. What is shown is read back from the topics, and judged against the input without asking the engine.
"""
