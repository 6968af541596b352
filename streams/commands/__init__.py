"""The verbs of the command `retarget`, one module each.

A module has `add(parser)`, which declares its options and, by `parser.set_defaults(settings=...)`, the
settings that matter for it, and `run(settings, args)`, which gives the exit code. It may have `PRESETS`,
settings of its own that are weaker than whatever the user says, and `overrides(args)`, the `key=value` texts
that its options stand for. Modules import Kafka, Faust and the store inside `run`, so that help and mistakes
answer at once.
"""
