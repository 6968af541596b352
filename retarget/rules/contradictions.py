"""Rules that contradict themselves, or sort people by what nobody may be sorted by.

Beside `checks`, and like it over values of which some may be missing or BAD.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from retarget.rules import checks, customs, declared, promises, subjects, telling
from retarget.rules.carriers import CANNOT_CARRY
from retarget.rules.checks import drafts, several
from retarget.rules.conditions import Condition, Formula, Window
from retarget.rules.devices import by_device, names_device
from retarget.rules.expressions.syntax import literals_of
from retarget.rules.impossible import always_holds, never_holds
from retarget.rules.model import ANYTHING, NEVER
from retarget.rules.names import shown
from retarget.rules.places import Place
from retarget.rules.records import Values, within
from retarget.rules.sensitive import sensitive
from retarget.times import format_duration

_OF_ITEMS: Final = telling.OF_ITEMS.keys() | telling.SUMS_OF_ITEMS.keys()


def rule(values: Values, at: Place) -> None:
    """Everything that is wrong between the parts of a rule."""
    checks.rule(values, at)
    _worthless(values, at)
    _overtakes_itself(values, at)
    _counts_its_ending(values, at)
    _pauses_itself(values, at)
    _impossible(values, at)
    _looks_at_nothing(values, at)
    _hears_nothing(values, at)
    _sensitive(values, at)
    _by_device(values, at)
    promises.of_rule(values, at)
    declared.of_rule(values, at)


def _worthless(values: Values, at: Place) -> None:
    """What a rule says is worthless after a while; a step that comes later than that would be."""
    expires = values.get("expires")
    for place, _, found in drafts(values, "steps", at):
        after = found.get("after")
        if isinstance(expires, int) and isinstance(after, int) and after >= expires and "channels" in found:
            place.child("after").problem(
                f"found {format_duration(after)}, when what the rule says has expired; "
                f"known: less than expires, {format_duration(expires)}"
            )


def _overtakes_itself(values: Values, at: Place) -> None:
    """A year's last step comes before the next year's turn, which `again` lets come."""
    yearly = "every" in within(values, "date")
    if yearly and values.get("again") == NEVER:
        at.child("again").problem("found never in a rule of every year; known: a duration, such as 300d")
    for place, _, found in drafts(values, "steps", at) if yearly else ():
        after = found.get("after")
        if isinstance(after, int) and after >= checks.A_YEAR:
            place.child("after").problem(
                f"found {format_duration(after)}, when the next year has come; known: less than 365d"
            )


def _counts_its_ending(values: Values, at: Place) -> None:
    counted = several(within(values, "count"), "of")
    for place, _, found in drafts(values, "unless", at):
        if any(customs.covers(str(found.get("event")), one) for one in counted):
            place.problem(
                f"found {found['event']}, which is counted, and would start the count afresh each time; "
                "known: another type"
            )


def _pauses_itself(values: Values, at: Place) -> None:
    """A rule that spares people its own purpose would stop its own steps, and itself the next time."""
    paused = within(values, "pauses").get("purpose")
    if isinstance(paused, str) and paused == values.get("purpose"):
        at.child("pauses").child("purpose").problem(
            f"found {paused}, the rule's own purpose; "
            "known: another one, such as purpose: service for the rule"
        )


def _impossible(values: Values, at: Place) -> None:
    """Conditions that can never hold, as far as that is certain."""
    types = _types_judged(values)
    for place, condition in _conditions(values, at):
        part = never_holds(condition.text)
        at_these = types if part is None and place.path[-1] == "if" else frozenset()
        other = never_holds(condition.text, at_these)
        if part is None and other is not None:
            judged = " or ".join(sorted(types))
            place.problem(
                f"found {other}, but this is judged at {judged}; known: a condition that may hold then"
            )
        elif part is not None:
            place.problem(f"found {part}, by which this can never hold; known: a condition that may")
        elif place.path[-1] == "when" and place.path[0] == "unless" and always_holds(condition.text):
            place.problem(f"found {condition.text}, which ends every episode at once; known: a condition")


def _types_judged(values: Values) -> frozenset[str]:
    """The types that the event can have at which a rule's `if` is judged; empty where there is none."""
    completing = (values, "event"), (within(values, "count"), "of"), (within(values, "sequence"), "then")
    return frozenset(customs.base_of(event) for found, key in completing for event in several(found, key))


def _looks_at_nothing(values: Values, at: Place) -> None:
    """Counts of what is never about the subject, or of the subject itself."""
    subject = values.get("subject")
    cannot = CANNOT_CARRY.get(subject, frozenset()) if isinstance(subject, str) else frozenset()
    for place, types in _of_products(values, at):
        if types and CANNOT_CARRY["product"].issuperset(types):
            place.problem(f"found {', '.join(types)}, which never names a product; known: types that do")
    for place, window in _windows(values, at):
        if window.about is None and cannot.issuperset(window.types):
            place.problem(
                f"found {', '.join(window.types)}, which is never about a {subject}, so there is nothing "
                'to count; known: about="person"'
            )
        elif window.about is None and window.number and subjects.word_of(window.number) == subject:
            place.problem(
                f'found distinct("{subject}", …), the subject itself, of which there is always one; '
                'known: about="person"'
            )


def _hears_nothing(values: Values, at: Place) -> None:
    """What is asked since an episode was opened, of types that neither open nor touch any."""
    quiet = within(values, "quiet")
    heard = [*several(quiet, "opens"), *several(quiet, "touches")]
    said: list[tuple[Place, Condition | Formula]] = [*_conditions(values, at), *_worths(values, at)]
    for place, expression in said if heard and ANYTHING not in heard else ():
        for types in literals_of(expression.text, "since_opened"):
            if not any(_meet(one, other) for one in types for other in heard):
                place.problem(
                    f"found since_opened({', '.join(types)}), which neither opens nor touches this rule's "
                    f"episodes, so there is nothing to count; known: {', '.join(dict.fromkeys(heard))}"
                )


def _meet(one: str, other: str) -> bool:
    """Whether an event can be of both kinds."""
    return customs.covers(one, other) or customs.covers(other, one)


def _of_products(values: Values, at: Place) -> Iterator[tuple[Place, Sequence[str]]]:
    """The types of which only the products, or their categories, count."""
    counted = within(values, "count")
    if counted.get("distinct") in telling.OF_ITEMS or "category" in counted:
        yield at.child("count").child("of"), several(counted, "of")
    for place, _, found in drafts(values, "steps", at):
        if "products" in found:
            shown = within(found, "products")
            yield place.child("products").child("of"), several(shown, "of")
    for place, window in _windows(values, at):
        if window.category is not None or window.number in _OF_ITEMS:
            yield place, window.types


def _windows(values: Values, at: Place) -> Iterator[tuple[Place, Window]]:
    """Everything that conditions look back on, and where."""
    for place, condition in _conditions(values, at):
        for window in condition.windows:
            yield place, window


def _conditions(values: Values, at: Place) -> Iterator[tuple[Place, Condition]]:
    """Every condition of a rule."""
    quiet = within(values, "quiet")
    found = [(at.child("if"), values.get("if")), (at.child("quiet").child("when"), quiet.get("when"))]
    listed = within(values, "catalogue")
    found.append((at.child("catalogue").child("when"), listed.get("when")))
    found += [(place.child("when"), one.get("when")) for place, _, one in drafts(values, "unless", at)]
    found += [(place.child("if"), one.get("if")) for place, _, one in drafts(values, "steps", at)]
    states = values.get("becomes")
    if isinstance(states, Mapping):
        found += [(at.child("becomes").child(name), one) for name, one in states.items()]
    found += [(place, one) for place, _, one in _product_sets(values, at)]
    for place, condition in found:
        if isinstance(condition, Condition):
            yield place, condition


def _product_sets(values: Values, at: Place) -> Iterator[tuple[Place, str, Any]]:
    """Every product set that an audience names, and what belongs to it."""
    for place, _, found in drafts(values, "steps", at):
        sets = within(found, "audience").get("sets")
        for name, condition in sets.items() if isinstance(sets, Mapping) else ():
            yield place.child("audience").child("sets").child(name), name, condition


def _worths(values: Values, at: Place) -> Iterator[tuple[Place, Formula]]:
    """Every expected value of a rule."""
    found = [(at.child("value"), values.get("value"))]
    found += [(place.child("value"), one.get("value")) for place, _, one in drafts(values, "steps", at)]
    for place, value in found:
        if isinstance(value, Formula):
            yield place, value


def _sensitive(values: Values, at: Place) -> None:
    """Nobody is sorted by their health, belief, origin, politics or sexual life."""
    own = ((place, one) for place, one in checks.types_named(values, at) if customs.is_named(one))
    for place, text in (*own, *_telling(values, at)):
        found = sensitive(text)
        if found is not None:
            place.problem(
                f"found {shown(found[0])}, a word about {found[1]}; known: nobody is sorted by that"
            )


def _by_device(values: Values, at: Place) -> None:
    """Nobody gets another price, offer or message by the class of their device."""
    said: list[tuple[Place, Condition | Formula]] = [*_conditions(values, at), *_worths(values, at)]
    for place, expression in said:
        part = by_device(expression.text)
        if part is not None:
            place.problem(f"found {part}, the class of a device; known: nobody is sorted by that")
    named = [(place, kind) for place, expression in said for kind in sorted(expression.texts)]
    for place, kind in (*named, *checks.types_named(values, at)):
        if customs.is_named(kind) and names_device(kind):
            place.problem(f"found {kind}, the class of a device; known: nobody is sorted by that")


def _telling(values: Values, at: Place) -> Iterator[tuple[Place, str]]:
    """The author's own words that say whom a rule is about."""
    if isinstance(values.get("rule"), str):
        yield at.child("rule"), values["rule"]
    yield from _word(values, "count", "category", at)
    yield from _word(values, "date", "trait", at)
    otherwise = within(values, "date").get("otherwise")
    for category in otherwise if isinstance(otherwise, Mapping) else ():
        yield at.child("date").child("otherwise").child(category), category
    tags = values.get("tags")
    for index, tag in enumerate(tags if isinstance(tags, tuple) else ()):
        if isinstance(tag, str):
            yield at.child("tags").child(index), tag
    for place, condition in _conditions(values, at):
        yield place, condition.text
    yield from ((place, value.text) for place, value in _worths(values, at))
    yield from ((place, name) for place, name, _ in _product_sets(values, at))
    for place, _, found in drafts(values, "steps", at):
        yield from _word(found, "products", "category", place)
        chosen = within(found, "audience")
        for key in ("add", "remove"):
            yield from _word(found, "audience", key, place)
        by_state = chosen.get("by_state")
        for state, name in by_state.items() if isinstance(by_state, Mapping) else ():
            if isinstance(name, str):
                yield place.child("audience").child("by_state").child(state), name


def _word(values: Values, key: str, inner: str, at: Place) -> Iterator[tuple[Place, str]]:
    word = within(values, key).get(inner)
    if isinstance(word, str):
        yield at.child(key).child(inner), word
