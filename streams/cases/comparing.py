"""What a case expects against what came: pairs that fit, and what is left over on either side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

from streams.cases.model import Expected, Prepared, Waiting
from streams.cases.outcomes import Outcome, Wait

_E = TypeVar("_E", bound=Expected | Waiting)
_G = TypeVar("_G", bound=Outcome | Wait)
_WHEN: Final = "when"
# With more than so many fields wrong, it is another thing.
_NEAR: Final = 2


class Difference(NamedTuple):
    """Something expected that did not come, something that came unasked, or the one instead of the other.

    `place` is that among the expectations, or the waits; None: nobody expected it.
    """

    place: int | None
    expected: Expected | Waiting | None
    got: Outcome | Wait | None


def differences(prepared: Prepared, outcomes: Sequence[Outcome], rule: str) -> list[Difference]:
    """Where the outcomes of `rule`, and of the rules that an expectation names, are others than expected."""

    def differs(one: Expected, got: Outcome) -> list[str]:
        return _wrong(prepared, rule, one, got)

    return _compared(prepared.case.expect, outcomes, differs, rule)


def comes_as(prepared: Prepared, rule: str, one: Expected, got: Outcome) -> bool:
    """Whether an outcome is of the kind, the rule and the moment that are expected."""
    return not {_WHEN, "kind", "rule"}.intersection(_wrong(prepared, rule, one, got))


def waits_differ(prepared: Prepared, waits: Sequence[Wait], rule: str) -> list[Difference]:
    """The same for what still waits; nothing when the case does not say."""
    if prepared.case.waits is None:
        return []

    def differs(one: Waiting, got: Wait) -> list[str]:
        return [
            field
            for field, wanted, found in (
                (_WHEN, prepared.moment(one.due), got.due),
                ("rule", one.rule or rule, got.rule),
                ("step", one.step, got.step),
                ("about", one.about, got.about),
            )
            if wanted is not None and wanted != found
        ]

    return _compared(prepared.case.waits, waits, differs, rule)


def _wrong(prepared: Prepared, rule: str, one: Expected, got: Outcome) -> list[str]:
    """The fields in which an outcome is not what an expectation says."""
    pairs: tuple[tuple[str, object, object], ...] = (
        (_WHEN, prepared.moment(one.at), got.at),
        ("kind", one.kind, got.kind),
        ("rule", one.rule or rule, got.rule),
        ("name", one.name, got.name),
        ("until", one.until and prepared.moment(one.until), got.until),
        ("step", one.step, got.step),
        ("channel", one.channel, got.channel),
        ("template", one.template, got.template),
        ("offer", one.offer, got.offer),
        ("good until", one.good_until and prepared.moment(one.good_until), got.good_until),
        ("products", None if one.products is None else tuple(sorted(one.products)), got.products),
        ("about", one.about, got.about),
    )
    return [name for name, wanted, found in pairs if wanted is not None and wanted != found]


def _compared(
    expected: Sequence[_E], got: Sequence[_G], differs: Callable[[_E, _G], list[str]], rule: str
) -> list[Difference]:
    """Pair what fits, as much of it as can be; then what is nearest; the rest is alone."""
    taken = _pairs(expected, got, lambda one, other: not differs(one, other))
    served = {
        place
        for place, other in enumerate(got)
        for one in expected
        if not differs(one, other) and _serves_many(other)
    }
    over = [place for place, other in enumerate(got)
            if place not in {*taken.values(), *served} and other.rule == rule]  # fmt: skip
    found: list[Difference] = []
    for index, one in enumerate(expected):
        if index in taken:
            continue
        wrong = {place: differs(one, got[place]) for place in over}
        near = [place for place in over if len(wrong[place]) <= _NEAR]
        # What came at that very moment tells more than the same thing at another one.
        chosen = min(near, key=lambda at: (_WHEN in wrong[at], len(wrong[at])), default=None)
        if chosen is not None:
            over.remove(chosen)
        found.append(Difference(index, one, None if chosen is None else got[chosen]))
    return [*found, *(Difference(None, None, got[place]) for place in over)]


def _serves_many(got: Outcome | Wait) -> bool:
    """A step that was stopped has one record, for its message and its audience."""
    return isinstance(got, Outcome) and got.kind == "suppressed"


def _pairs(expected: Sequence[_E], got: Sequence[_G], fits: Callable[[_E, _G], bool]) -> dict[int, int]:
    """As many pairs as there can be, expectation -> outcome: a loose one gives way to a strict one."""
    holder: dict[int, int] = {}

    def place(index: int, tried: set[int]) -> bool:
        for candidate in _fitting(expected[index], got, fits):
            if candidate in tried:
                continue
            tried.add(candidate)
            if candidate not in holder or place(holder[candidate], tried):
                holder[candidate] = index
                return True
        return False

    for index in range(len(expected)):
        place(index, set())
    return {index: candidate for candidate, index in holder.items()}


def _fitting(one: _E, got: Sequence[_G], fits: Callable[[_E, _G], bool]) -> Iterator[int]:
    return (candidate for candidate, other in enumerate(got) if fits(one, other))
