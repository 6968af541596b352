"""The common job: this engine and stock Faust programs over the same events, with the same expected messages."""
