"""What a case expects against what came: pairs that fit, and what is left over on either side."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeGuard, TypeVar

from streams.cases.model import Expected, Prepared, Waiting
from streams.cases.outcomes import Outcome, Wait

_E = TypeVar("_E", bound=Expected | Waiting)
_G = TypeVar("_G", bound=Outcome | Wait)
_WHEN: Final = "when"
# The channel of what is told of an audience.
_AUDIENCES: Final = "ads"
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


def comes(prepared: Prepared, outcomes: Sequence[Outcome], rule: str, place: int) -> bool:
    """Whether what is expected in `place` is there, beside all else that is expected and there."""
    expected = prepared.case.expect
    # Whoever has come first keeps an outcome, if not this one.
    ordered = [*(one for index, one in enumerate(expected) if index != place), expected[place]]
    return len(ordered) - 1 in _pairs(
        ordered, outcomes, lambda one, got: not _wrong(prepared, rule, one, got)
    )


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
        beside
        for index, place in taken.items()
        for beside in _beside(got, place)
        if not differs(expected[index], got[beside])
    }
    over = [place for place, other in enumerate(got)
            if place not in {*taken.values(), *served} and other.rule == rule]  # fmt: skip
    missing = [index for index in range(len(expected)) if index not in taken]
    instead = _nearest({(index, place): differs(expected[index], got[place])
                        for index in missing for place in over})  # fmt: skip
    found = [
        Difference(index, expected[index], got[instead[index]] if index in instead else None)
        for index in missing
    ]
    alone = [place for place in over if place not in instead.values()]
    return [*found, *(Difference(None, None, got[place]) for place in alone)]


def _nearest(wrong: Mapping[tuple[int, int], Sequence[str]]) -> dict[int, int]:
    """Expectation -> what came instead of it: of all pairs first those that differ least.

    What came at that very moment tells more than the same thing at another one.
    """
    paired: dict[int, int] = {}
    for index, place in sorted(wrong, key=lambda pair: (*_distance(wrong[pair]), *pair)):
        near = len(wrong[index, place]) <= _NEAR
        if near and index not in paired and place not in paired.values():
            paired[index] = place
    return paired


def _distance(fields: Sequence[str]) -> tuple[bool, bool, bool, int]:
    return _WHEN in fields, "kind" in fields, "about" in fields, len(fields)


def _beside(got: Sequence[Outcome | Wait], place: int) -> list[int]:
    """What stands beside a stopped message, or audience: the other audiences of its step at that moment.

    A gate stops all of them, and an author thinks of one.
    """
    one = got[place]
    if not _is_stopped(one):
        return []
    return [at for at, other in enumerate(got) if at != place and _is_beside(other, one)]


def _is_beside(other: Outcome | Wait, one: Outcome | Wait) -> bool:
    return (
        _is_stopped(other)
        and _is_stopped(one)
        and _is_of_audience(other)
        and _decided(other) == _decided(one)
    )


def _stands_alone(got: Sequence[Outcome | Wait], place: int) -> bool:
    """Whether there is neither a message that it stands beside, nor an audience before it."""
    one = got[place]
    others = (other for at, other in enumerate(got) if at < place or not _is_of_audience(other))
    return not (_is_of_audience(one) and any(_is_beside(one, other) for other in others))


def _is_of_audience(got: Outcome | Wait) -> bool:
    return isinstance(got, Outcome) and got.channel == _AUDIENCES


def _decided(one: Outcome) -> tuple[object, ...]:
    return one.rule, one.about, one.step, one.at, one.name


def _is_stopped(got: Outcome | Wait) -> TypeGuard[Outcome]:
    return isinstance(got, Outcome) and got.kind == "suppressed"


def _pairs(expected: Sequence[_E], got: Sequence[_G], fits: Callable[[_E, _G], bool]) -> dict[int, int]:
    """As many pairs as there can be, expectation -> outcome: a loose one gives way to a strict one.

    First for what needs one of its own, so that no second one is spent on what stands beside another.
    """
    holder: dict[int, int] = {}
    alone = {at for at in range(len(got)) if _stands_alone(got, at)}

    def place(index: int, tried: set[int], among: Container[int]) -> bool:
        for candidate in _fitting(expected[index], got, fits):
            if candidate in tried or candidate not in among:
                continue
            tried.add(candidate)
            if candidate not in holder or place(holder[candidate], tried, among):
                holder[candidate] = index
                return True
        return False

    for among in (alone, range(len(got))):
        for index in range(len(expected)):
            if index not in holder.values():
                place(index, set(), among)
    return {index: candidate for candidate, index in holder.items()}


def _fitting(one: _E, got: Sequence[_G], fits: Callable[[_E, _G], bool]) -> Iterator[int]:
    return (candidate for candidate, other in enumerate(got) if fits(one, other))
