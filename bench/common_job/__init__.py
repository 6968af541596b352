"""The common job: this engine and stock Faust programs over the same events, held to the same answer."""
