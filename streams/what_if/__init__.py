"""What if: one person's events worked through again without one of them, or with one more."""

from streams.what_if.wording import Change, read_change

__all__ = ["Change", "read_change"]
