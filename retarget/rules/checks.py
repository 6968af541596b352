"""What is wrong between the keys of a rule: contradictions, and parts that could never have an effect.

Every check looks at values of which some may be missing or BAD: their problems have been noted already.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, get_args

from retarget.rules import customs
from retarget.rules.carriers import CANNOT_CARRY
from retarget.rules.conditions import Condition, Formula
from retarget.rules.model import ANYTHING, Channel
from retarget.rules.names import shown
from retarget.rules.places import Place
from retarget.rules.records import Values, within
from retarget.rules.shapes import ALL, BAD
from retarget.times import DAY, format_duration

A_YEAR: Final = 365 * DAY
LONGEST_LABEL: Final = 128
TRIGGERS: Final = ("count", "quiet", "event", "sequence", "date", "catalogue", "becomes")
# The keys of each trigger that name touchpoint types about the subject.
_TYPES_IN: Final = (
    ("count", ("of",)), ("quiet", ("opens", "touches")), ("sequence", ("first", "then", "without")),
    ("date", ("interval",)),
)  # fmt: skip


def count(values: Values, at: Place) -> None:
    """A window touches only so many days, and a category is one."""
    least, within = values.get("at_least"), values.get("within")
    if values.get("distinct") == "category" and "category" in values:
        at.child("category").problem(
            "found category with distinct: category, which is always one; known: product"
        )
    if values.get("distinct") != "day" or not isinstance(least, int) or not isinstance(within, int):
        return
    most = -(-within // DAY) + 1
    if least > most:
        at.child("at_least").problem(
            f"found {least} days within {format_duration(within)}, which touches {most} at most; "
            "known: a longer window"
        )


def quiet(values: Values, at: Place) -> None:
    """`anything` stands alone."""
    for key in ("opens", "touches"):
        types = several(values, key)
        if ANYTHING in types and len(types) > 1:
            at.child(key).problem(
                f"found {ANYTHING} beside other types, which it includes; known: {ANYTHING} alone"
            )


def sequence(values: Values, at: Place) -> None:
    """A type has one part in it."""
    parts = ("first", "then", "without")
    for index, part in enumerate(parts):
        for earlier in parts[:index]:
            for event in several(values, part):
                for other in several(values, earlier):
                    if customs.covers(event, other) or customs.covers(other, event):
                        at.child(part).problem(
                            f"found {event}, which stands under {earlier}; known: another type"
                        )


def date(values: Values, at: Place) -> None:
    """One side of the date, and an interval that others may stand in for."""
    if "before" in values and "after" in values:
        at.child("after").problem("found after beside before; known: one of them")
    if "otherwise" in values and "interval" not in values:
        at.child("otherwise").problem("found otherwise without interval; known: {interval: purchase}")
    if "every" not in values:
        return
    if "trait" not in values:
        at.child("every").problem("found every without trait; known: {trait: birthday, every: year}")
    for side in ("before", "after"):
        moved = values.get(side)
        if isinstance(moved, int) and moved >= A_YEAR:
            at.child(side).problem(f"found {format_duration(moved)}; known: less than 365d, with every: year")


def ending(values: Values, at: Place) -> None:
    """`same` narrows an event."""
    if "same" in values and "event" not in values:
        at.child("same").problem("found same without event; known: {event: purchase, same: subject}")


def audience(values: Values, at: Place) -> None:
    """States replace each other; they do not expire, and are the person's, whatever the product."""
    for key in ("expires", "sets"):
        if key in values and "remove" in values:
            at.child(key).problem(f"found {key} with remove, which takes the person out for good; known: add")
    if "by_state" in values and "expires" in values:
        at.child("expires").problem(
            "found expires with by_state, where the next state ends the last; known: add"
        )
    if "by_state" in values and "sets" in values:
        at.child("sets").problem(
            "found sets with by_state, whose states are the person's; "
            "known: add, in a rule about products for each stage"
        )
    name, sets = values.get("add"), values.get("sets")
    for one in sets if isinstance(sets, dict) else ():
        if isinstance(name, str) and len(f"{name}-{one}") > LONGEST_LABEL:
            at.child("add").problem(
                f"found a name that is too long with -{one}; known: {LONGEST_LABEL} characters together"
            )


def step(values: Values, at: Place) -> None:
    """A step does something, and a channel knows what to send."""
    if "channels" not in values and "audience" not in values:
        at.problem("found a step that does nothing; known: channels with template, audience, or both")
    _variants(values, at)
    if "channels" in values and "template" not in values and "variants" not in values:
        at.child("template").problem("missing; known: channels need a template, such as cart-reminder-1")
    for key in ("template", "products"):
        if key in values and "channels" not in values:
            at.child(key).problem(f"found {key} without channels; known: channels: [push, email]")


def _variants(values: Values, at: Place) -> None:
    """There are several, of a message, and each knows what to send."""
    found = values.get("variants")
    if not isinstance(found, dict):
        return
    here = at.child("variants")
    if "channels" not in values:
        here.problem("found variants without channels; known: channels: [push, email]")
    if len(found) == 1:
        here.problem("found one variant, so there is no choice; known: two or more")
    for name, draft in found.items():
        if draft is not BAD and "template" not in values and "template" not in draft.values:
            here.child(name).child("template").problem("missing; known: a template here or in the step")


def rule(values: Values, at: Place) -> None:
    """Everything between the parts of a rule."""
    _name_of_channel(values, at)
    _step_times(values, at)
    _nothing_to_expire(values, at)
    _states(values, at)
    _again_and_states(values, at)
    _unless(values, at)
    _never_about_subject(values, at)
    _distinct_subject(values, at)
    _shown_subject(values, at)
    _subject_of_sets(values, at)
    _state_subject(values, at)
    _date_subject(values, at)
    _catalogue_subject(values, at)
    _event_gone(values, at)
    _over_cap(values, at)


def _name_of_channel(values: Values, at: Place) -> None:
    if values.get("rule") in get_args(Channel):
        at.child("rule").problem(
            f"found {values['rule']}, a channel; known: a name that `pause` cannot mistake"
        )


def _step_times(values: Values, at: Place) -> None:
    before = -1
    for place, _, found in drafts(values, "steps", at):
        after = found.get("after")
        if not isinstance(after, int):
            continue
        if place.path[-1] == 0 and after > 0:
            place.child("after").problem(
                f"found {format_duration(after)}; known: step 1 comes at the decision; quiet waits before it"
            )
        elif after <= before:
            earlier = format_duration(before)
            place.child("after").problem(
                f"found {format_duration(after)}; known: later than the step before it, at {earlier}"
            )
        before = max(before, after)


def _nothing_to_expire(values: Values, at: Place) -> None:
    steps = list(drafts(values, "steps", at))
    if "expires" in values and steps and not any("channels" in found for _, _, found in steps):
        at.child("expires").problem(
            "found expires without a message; known: a step with channels, or expires of an audience"
        )


def _over_cap(values: Values, at: Place) -> None:
    """What waits for room must end some time, and another channel must be there."""
    chosen, here = values.get("over_cap"), at.child("over_cap")
    if chosen in ("defer", "next_channel") and values.get("purpose") in ("service", "transactional"):
        here.problem(f"found {chosen} in a rule of {values['purpose']}, which no cap stops; known: marketing")
    elif chosen == "defer" and "expires" not in values:
        here.problem("found defer without expires, so that it might wait for ever; known: expires: 48h")
    several_channels = [
        names
        for _, _, found in drafts(values, "steps", at)
        if len(names := several(found, "channels")) > 1 and names[0] != ALL
    ]
    if chosen == "next_channel" and not several_channels:
        here.problem("found next_channel, but no step has a second one; known: channels: [push, email]")


def _states(values: Values, at: Place) -> None:
    states = values.get("becomes")
    for place, _, found in drafts(values, "steps", at):
        chosen = found.get("audience")
        if chosen is None or chosen is BAD or not isinstance(chosen.values.get("by_state"), dict):
            continue
        here = place.child("audience").child("by_state")
        if states is None:
            here.problem("found by_state without becomes, so there are no states; known: add")
        elif isinstance(states, dict):
            _cover(states, chosen.values["by_state"], here)
        if place.path[-1] != 0:
            here.problem(
                "found by_state in a later step, but a new state changes the audience at once; known: step 1"
            )


def _again_and_states(values: Values, at: Place) -> None:
    by_state = any("by_state" in within(found, "audience") for _, _, found in drafts(values, "steps", at))
    if by_state and values.get("again") not in (None, BAD, 0):
        at.child("again").problem(
            "found again with by_state, by which the person is in exactly one; "
            "known: 0, and a rule of their own for messages"
        )


def _cover(states: Values, audiences: Values, here: Place) -> None:
    known = ", ".join(map(shown, states))
    for state in states:
        if state not in audiences:
            here.problem(f"missing the state {shown(state)}; known: all of {known}")
    for state in audiences:
        if state not in states:
            here.child(state).problem(f"found {shown(state)}, no state of becomes; known: {known}")


def _unless(values: Values, at: Place) -> None:
    instant = [trigger for trigger in ("event", "becomes") if trigger in values]
    if "unless" in values and instant and not _stays_open(values, at):
        at.child("unless").problem(
            f"found unless in a rule by {instant[0]} of one step, whose episode is over at once; "
            "known: a later step, or an audience that is joined"
        )
    seen: set[str] = set()
    for place, _, found in drafts(values, "unless", at):
        event = found.get("event")
        if isinstance(event, str) and event in seen:
            place.problem(f"found {event} twice; known: one ending for each type")
        elif isinstance(event, str):
            seen.add(event)


def _stays_open(values: Values, at: Place) -> bool:
    """Whether a decision leaves something that may end: steps that wait, or somebody in an audience."""
    steps = values.get("steps")
    if not isinstance(steps, tuple) or len(steps) != 1:
        return True  # what is no list is a mistake of its own
    return any(
        {"add", "by_state"} & within(found, "audience").keys() for _, _, found in drafts(values, "steps", at)
    )


def _never_about_subject(values: Values, at: Place) -> None:
    """Events that never name such a subject can neither open, touch, count for nor end its episodes."""
    subject = values.get("subject")
    about = [(place, event, subject) for place, event in _subject_events(values, at)]
    for place, event, kind in [*about, *_narrowed_endings(values, at)]:
        if isinstance(kind, str) and event in CANNOT_CARRY.get(kind, ()):
            place.problem(f"found {event}, which is never about a {kind}; known: types that carry one")


def _narrowed_endings(values: Values, at: Place) -> Iterator[tuple[Place, str, object]]:
    """Endings by what an event has in common with the episode: its subject, or a product."""
    for place, _, found in drafts(values, "unless", at):
        if "same" in found and isinstance(found.get("event"), str):
            yield place, found["event"], "product" if found["same"] == "product" else values.get("subject")


def _subject_events(values: Values, at: Place) -> Iterator[tuple[Place, str]]:
    for place, _, found in drafts(values, "steps", at):
        for event in several(within(found, "products"), "of"):
            yield place.child("products").child("of"), event
    for event in several(values, "event"):
        yield at.child("event"), event
    for trigger, keys in _TYPES_IN:
        inner = within(values, trigger)
        for key in keys:
            for event in several(inner, key):
                yield at.child(trigger).child(key), event


def types_named(values: Values, at: Place) -> Iterator[tuple[Place, str]]:
    """Every touchpoint type that stands outside of conditions, and where."""
    yield from _subject_events(values, at)
    for place, _, found in drafts(values, "unless", at):
        if isinstance(found.get("event"), str):
            yield place, found["event"]


def _distinct_subject(values: Values, at: Place) -> None:
    counted = within(values, "count")
    least = counted.get("at_least")
    subject = values.get("subject")
    if counted.get("distinct") == subject != BAD and isinstance(least, int) and least > 1:
        at.child("count").child("distinct").problem(
            f"found {subject}, the subject itself, of which there is always one; known: another subject"
        )


def _shown_subject(values: Values, at: Place) -> None:
    for place, _, found in drafts(values, "steps", at):
        if "products" in found and values.get("subject") == "product":
            place.child("products").problem(
                "found products for the subject product, which is what the message shows; "
                "known: another subject"
            )


def _subject_of_sets(values: Values, at: Place) -> None:
    for place, _, found in drafts(values, "steps", at):
        if "sets" in within(found, "audience") and values.get("subject") == "query":
            place.child("audience").child("sets").problem(
                "found sets for the subject query, which no product belongs to; known: another subject"
            )


def _date_subject(values: Values, at: Place) -> None:
    found, subject = within(values, "date"), values.get("subject")
    for key, subjects in (("trait", ("person",)), ("otherwise", ("product", "category"))):
        if key in found and isinstance(subject, str) and subject not in subjects:
            at.child("date").child(key).problem(
                f"found {key} for the subject {subject}; known: {', '.join(subjects)}"
            )


def _state_subject(values: Values, at: Place) -> None:
    subject = values.get("subject")
    if "becomes" in values and isinstance(subject, str) and subject != "person":
        at.child("subject").problem(
            f"found {subject}, but becomes is about the state of the person; known: person"
        )


def _catalogue_subject(values: Values, at: Place) -> None:
    subject = values.get("subject")
    if "catalogue" in values and isinstance(subject, str) and subject != "product":
        at.child("subject").problem(f"found {subject}, but the catalogue is about products; known: product")


def _event_gone(values: Values, at: Place) -> None:
    """After a wait there is no event: what only an event can tell would be unknown for ever."""
    steps = [(place.child("if"), found.get("if")) for place, _, found in drafts(values, "steps", at)]
    waits = bool({"quiet", "date"} & values.keys())
    waited = [(at.child("if"), values.get("if")), *steps] if waits else steps[1:]
    waited += [(at.child("value"), values.get("value"))] if waits or len(steps) > 1 else []
    own = [(place.child("value"), found.get("value")) for place, _, found in drafts(values, "steps", at)]
    waited += own if waits else own[1:]
    words = at.reading.vocabulary.names
    for place, condition in waited:
        for name in sorted(condition.names) if isinstance(condition, Condition | Formula) else ():
            if words[name].event_only:
                place.problem(
                    f"found {name}, but no event is left when this is judged; known: state, not event"
                )


def several(values: Values, key: str) -> list[str]:
    """The texts of a key that may hold several, as far as they could be read."""
    found = values.get(key)
    return [one for one in found if isinstance(one, str)] if isinstance(found, tuple) else []


def drafts(values: Values, key: str, at: Place) -> Iterator[tuple[Place, int, Values]]:
    """Where each record of a list stands, its number and what could be read of it."""
    found = values.get(key)
    for index, draft in enumerate(found if isinstance(found, tuple) else ()):
        if draft is not BAD:
            yield at.child(key).child(index), index, draft.values
