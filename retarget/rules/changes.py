"""What a change of rules means, rule by rule, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final, Literal, TypeAlias

import msgspec

from retarget.rules import wording
from retarget.rules.conditions import Condition
from retarget.rules.model import Date, Rule, Step, Trigger
from retarget.rules.versions import plain

Kind = Literal["new", "gone", "changed"]
# Sentences about one key, from its value before and after.
Says: TypeAlias = Callable[[Any, Any], Iterator[str]]
# Whatever counts has words of its own, its order too.
_NOTHING: Final = "nothing but the order or the spelling of its parts"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that is not as it was. Versions are null where there is no such rule."""

    rule: str
    change: Kind
    says: tuple[str, ...]
    before: str | None
    after: str | None


def changes(before: Sequence[Rule], after: Sequence[Rule]) -> list[Change]:
    """Every rule that is new, gone or of another meaning, by name; none where only the spelling differs."""
    old, new = {rule.name: rule for rule in before}, {rule.name: rule for rule in after}
    found = [_change(name, old.get(name), new.get(name)) for name in sorted(old.keys() | new.keys())]
    return [change for change in found if change is not None]


def _change(name: str, before: Rule | None, after: Rule | None) -> Change | None:
    if before is None or after is None:
        kind: Kind = "new" if before is None else "gone"
        says = _whole(after) if after is not None else ()
    elif before.version != after.version:
        kind, says = "changed", tuple(_differences(before, after)) or (_NOTHING,)
        if before.on_change == "finish":
            says = (*says, "open episodes are finished by the version that opened them")
    else:
        return None
    versions = before.version if before else None, after.version if after else None
    return Change(rule=name, change=kind, says=says, before=versions[0], after=versions[1])


def _whole(rule: Rule) -> tuple[str, ...]:
    """What a new rule does."""
    steps = [f"step {number}: {wording.step(step)}" for number, step in enumerate(rule.steps, start=1)]
    only = [f"only if {rule.condition.text}"] if rule.condition else []
    return (
        f"decided for {wording.subject(rule.subject)} {wording.trigger(rule)}",
        *only,
        *steps,
        *wording.beside(rule),
    )


def _differences(before: Rule, after: Rule) -> Iterator[str]:
    for name in Rule.__struct_fields__:
        old, new = getattr(before, name), getattr(after, name)
        if name == "version" or _same(old, new):
            continue
        if name == "trigger":
            yield from _trigger(before, after)
        elif name == "unless":
            yield from _endings(before, after)
        elif name == "steps":
            yield from _steps(old, new)
        else:
            yield from _RULE.get(name, _other(name))(old, new)


def _trigger(before: Rule, after: Rule) -> Iterator[str]:
    old, new = before.trigger, after.trigger
    if type(old) is not type(new) or _another_date(old, new):
        yield f"decided {wording.trigger(after)} instead of {wording.trigger(before)}"
        return
    table = _TRIGGERS.get(type(old).__name__, {})
    for name in old.__struct_fields__:
        was, now = getattr(old, name), getattr(new, name)
        if not _same(was, now):
            yield from table.get(name, _other(name))(was, now)


def _another_date(before: Trigger, after: Trigger) -> bool:
    """Whether a rule by a date that was told is now one by a date that is expected, or the reverse."""
    return isinstance(before, Date) and isinstance(after, Date) and bool(before.trait) != bool(after.trait)


def _endings(before: Rule, after: Rule) -> Iterator[str]:
    old = [wording.ending(one, before.subject) for one in before.unless]
    new = [wording.ending(one, after.subject) for one in after.unless]
    if sorted(old) != sorted(new):
        yield from _names("also ended by {}", "no longer ended by {}")(old, new)


def _steps(before: Sequence[Step], after: Sequence[Step]) -> Iterator[str]:
    for number, (old, new) in enumerate(zip_longest(before, after), start=1):
        if old is None:
            yield f"step {number} is new: {wording.step(new)}"
        elif new is None:
            yield f"step {number} is gone: it was {wording.step(old)}"
        else:
            yield from _step(f"step {number}", old, new)


def _step(place: str, before: Step, after: Step) -> Iterator[str]:
    for name in Step.__struct_fields__:
        old, new = getattr(before, name), getattr(after, name)
        if not _same(old, new):
            says = _STEP.get("each channel" if name == "channels" and after.every else name, _other(name))
            yield from (f"{place}: {sentence}" for sentence in says(old, new))


def _same(before: object, after: object) -> bool:
    return bool(plain(before) == plain(after))


# -- sentences --


def _instead(form: str, said: Callable[[Any], str] = str) -> Says:
    """`form` says the value as it is now."""

    def says(before: Any, after: Any) -> Iterator[str]:  # noqa: ANN401 - a value of that key
        yield f"{form.format(said(after))} instead of {said(before)}"

    return says


def _other(name: str) -> Says:
    return _instead(f"{name}: {{}}", wording.generic)


def _names(more: str, less: str, order: str = "in the order {}", *, first: bool = False) -> Says:
    """Names that came, names that went, or else their order.

    `first`: the first that will do is taken, so that the order is told beside the others, too; only not
    where it is the old one with what came at its end.
    """

    def says(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
        came = [name for name in after if name not in before]
        went = [name for name in before if name not in after]
        if came:
            yield more.format(wording.listed(came))
        if went:
            yield less.format(wording.listed(went))
        expected = [name for name in before if name in after] + came
        if not (came or went) or (first and list(after) != expected):
            yield order.format(wording.listed(after))

    return says


def _condition(form: str) -> Says:
    def says(before: Condition | None, after: Condition | None) -> Iterator[str]:
        if after is None:
            yield f"no longer {form} {before.text if before else ''}"
        else:
            yield f"{form} {after.text}" + (f", instead of {before.text}" if before else "")

    return says


def _states(before: Mapping[str, Condition], after: Mapping[str, Condition]) -> Iterator[str]:
    if list(before) != list(after):
        more, less = "also has the state {}", "no longer has the state {}"
        yield from _names(more, less, "states in the order {}", first=True)(list(before), list(after))
    for name in after:
        if not _same(before.get(name), after[name]):
            yield from (f"state {name}: {said}" for said in _condition("if")(before.get(name), after[name]))


def _or_never(ms: int | None) -> str:
    return "never" if ms is None else f"after {wording.span(ms)}"


_RULE: Final[Mapping[str, Says]] = {
    "description": _instead("described as {}", wording.quoted),
    "subject": _instead("is about {}", wording.subject),
    "condition": _condition("only if"),
    "again": _instead("again for the same: {}", wording.again),
    "priority": _instead("priority {}"),
    "purpose": _instead("purpose {}"),
    "tags": _names("also tagged {}", "no longer tagged {}", "tagged in the order {}"),
    "expires": _instead("messages expire {}", _or_never),
    "hold_out": _instead("{} of the people are held out", wording.share),
    "why": _instead("the person is told {}", wording.quoted),
    "over_cap": _instead("capped messages are {}", wording.over_cap),
    "ceiling": _instead("sends {}", wording.ceiling),
    "pauses": _instead("stops {}", wording.pauses),
    "value": _instead("is worth {}", wording.generic),
    "guarded": _instead("pauses by itself when no purchases are heard of: {}", wording.generic),
    "on_change": _instead("open episodes, at the next change: {}", wording.on_change),
}
_STEP: Final[Mapping[str, Says]] = {
    "after": _instead("comes {} after step 1", wording.span),
    "channels": _names("also on {}", "no longer on {}", "tried in the order {}", first=True),
    "each channel": _names("also on {}", "no longer on {}"),
    "template": _instead("template {}", wording.quoted),
    "audience": _instead("{}", wording.audience),
    "condition": _condition("only if"),
    "every": _instead(
        "goes to {}", lambda every: "each of its channels" if every else "the first that will do"
    ),
    "offer": _instead("offers {}", wording.offer),
    "variants": _instead("variants {}", wording.variants),
    "products": _instead("shows {}", wording.shown),
    "value": _instead("is worth {}", wording.generic),
}
_TYPES: Final[Says] = _names("also counts {}", "no longer counts {}")
_TRIGGERS: Final[Mapping[str, Mapping[str, Says]]] = {
    "Quiet": {
        "after": _instead("waits {}", wording.span),
        "opens": _names("also opened by {}", "no longer opened by {}"),
        "touches": _names("the wait also starts again with {}", "the wait no longer starts again with {}"),
        "when": _condition("events count only when"),
    },
    "Count": {
        "of": _TYPES,
        "at_least": _instead("from {} on", str),
        "within": _instead("within {}", wording.span),
        "distinct": _instead("counts distinct values of {}", wording.generic),
        "category": _instead("counts {}", wording.counted_category),
    },
    "Succession": {
        "first": _names("also begun by {}", "no longer begun by {}"),
        "then": _names("also completed by {}", "no longer completed by {}"),
        "within": _instead("within {}", wording.span),
        "without": _names("{} may not come between", "{} may come between"),
    },
    "Date": {
        "trait": _instead("by the date in {}", wording.generic),
        "every": _instead("comes {}", lambda every: "each year" if every else "once"),
        "interval": _names("the interval also counts {}", "the interval no longer counts {}"),
        "otherwise": _instead("where the interval is unknown: {}", wording.otherwise),
        "shift": _instead("{}", lambda ms: f"{wording.shift(ms)} that time"),
    },
    "Catalogue": {
        "of": _names("also when the {} changes", "no longer when the {} changes"),
        "within": _instead("looks back {}", wording.span),
        "when": _condition("changes count only when"),
    },
    "Event": {"of": _names("also at every {}", "no longer at every {}")},
    "Becomes": {"states": _states},
}
