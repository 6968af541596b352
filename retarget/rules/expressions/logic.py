"""`and`, `or`, `not`, `exists`. A yes or no that is unknown counts as no."""

from __future__ import annotations

from collections.abc import Sequence

from retarget.rules.expressions.terms import Read, Term


def both(text: str, parts: Sequence[Term]) -> Term:
    """True when all of `parts` are."""
    return _joined(text, parts, _all([part.read for part in parts]))


def either(text: str, parts: Sequence[Term]) -> Term:
    """True when at least one of `parts` is."""
    return _joined(text, parts, _any([part.read for part in parts]))


def negation(text: str, part: Term) -> Term:
    """True when `part` is not, or is unknown."""
    read = part.read
    return Term(text=text, type="bool", read=lambda s: not read(s), certain=True)


def existence(text: str, read: Read) -> Term:
    """True when the name's value is known."""
    return Term(text=text, type="bool", read=lambda s: read(s) is not None, certain=True)


def _joined(text: str, parts: Sequence[Term], read: Read) -> Term:
    return Term(text=text, type="bool", read=read, certain=all(part.certain for part in parts))


def _all(reads: Sequence[Read]) -> Read:
    if len(reads) == 2:  # noqa: PLR2004 - the usual number, without a loop
        one, other = reads
        return lambda s: one(s) and other(s)

    def run(scene: object) -> bool:
        for read in reads:  # noqa: SIM110 - all() costs twice as much
            if not read(scene):
                return False
        return True

    return run


def _any(reads: Sequence[Read]) -> Read:
    if len(reads) == 2:  # noqa: PLR2004 - the usual number, without a loop
        one, other = reads
        return lambda s: one(s) or other(s)

    def run(scene: object) -> bool:
        for read in reads:  # noqa: SIM110 - any() costs twice as much
            if read(scene):
                return True
        return False

    return run
