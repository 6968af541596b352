"""Changes made: the events that are meant are taken out of a story, or one more is put in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from retarget.decode import from_mapping
from retarget.errors import BadInput, Rejected
from retarget.rules.matcher import CART_TYPES
from retarget.rules.names import nearest, shown
from retarget.times import DAY, format_time
from retarget.touchpoints import TYPES, Item, Touchpoint
from streams.what_if.story import Step, Story
from streams.what_if.wording import ANY, Change, Moment

# So many events are named when the wording fits several or none.
_NAMED: Final = 12


class Changed(NamedTuple):
    """A story with its changes: which events are gone, and which are new."""

    story: Story
    gone: tuple[Touchpoint, ...]
    new: tuple[Touchpoint, ...]


def changed(story: Story, changes: Sequence[Change]) -> Changed:
    """The story with all changes. Raises BadInput with every one that means no event, or several."""
    problems: list[str] = []
    gone: list[Touchpoint] = []
    new: list[Touchpoint] = []
    for change in changes:
        try:
            if change.more:
                new.append(_added(story, change, f"what-if-{len(new) + 1}"))
            else:
                gone += _meant(story, change)
        except BadInput as error:
            problems += error.problems
    if problems:
        raise BadInput(problems)
    ids = {event.id for event in gone}
    kept = tuple(step for step in story.steps if step.event is None or step.event.id not in ids)
    after = story._replace(steps=kept)
    for event in new:
        after = _put(after, event)
    return Changed(after, tuple(gone), tuple(new))


def told(event: Touchpoint) -> str:
    """An event as one is asked to choose: its id, its time, what it is."""
    products = ", ".join(item.product_id for item in event.items if item.product_id)
    about = f" of {products}" if products else ""
    return f"{event.id}  {format_time(event.time)}  {event.type}{about}"


def _meant(story: Story, change: Change) -> list[Touchpoint]:
    """The one event that is meant; copies of it have the same id, and are not others."""
    events = list({event.id: event for event in reversed(story.events)}.values())[::-1]
    found = [event for event in events if event.id == change.name]
    if not found and change.type is not None:
        found = [event for event in events if _fits(event, change)]
    if len(found) == 1:
        return found
    said = f"--what-if {shown(change.said)}: "
    if found:
        raise BadInput([
            f"{said}{len(found)} events fit; name one of them by its id, as in 'no {found[0].id}':",
            *_listed(found),
        ])  # fmt: skip
    near = "" if change.type else _nearest(change.name, events)
    same = [event for event in events if event.type == change.type] or events
    raise BadInput([f"{said}no event of this person fits{near}; there are:", *_listed(same)])


def _nearest(name: str, events: Sequence[Touchpoint]) -> str:
    """Among the ids, or for its first word among the types."""
    words = name.split()
    return nearest(name, [event.id or "" for event in events]) or nearest(words[0], TYPES)


def _fits(event: Touchpoint, change: Change) -> bool:
    products = {item.product_id for item in event.items}
    return (
        change.type in (ANY, event.type)
        and products.issuperset(change.products)
        and (change.moment is None or change.moment.holds(event.time))
    )


def _listed(events: Sequence[Touchpoint]) -> list[str]:
    rest = len(events) - _NAMED
    return [*(f"  {told(event)}" for event in events[:_NAMED]), *([f"  and {rest} more"] if rest > 0 else [])]


def _added(story: Story, change: Change, event_id: str) -> Touchpoint:
    """The event with what else is known: the person's ids, the cart, and how its products last looked."""
    try:
        event = from_mapping({"user_id": "-", **_fields(story, change)})
    except Rejected as error:
        raise BadInput([f"--what-if {shown(change.said)}: {error}"]) from error
    if event.time < 0:
        raise BadInput([f'--what-if {shown(change.said)}: it needs a time, such as "2026-03-02T10:20:00Z"'])
    before = [one for one in story.events if one.time <= event.time] or story.events[:1]
    # What is done under a device's id may be somebody else's by then; under the person's own it is theirs.
    own = [one for one in before if one.user_id] or before
    event.user_id, event.anonymous_id = own[-1].user_id, own[-1].anonymous_id
    event.id = event.id or event_id
    if event.cart_id is None and event.type in CART_TYPES:
        event.cart_id = next((one.cart_id for one in reversed(before) if one.type in CART_TYPES), None)
    event.items = [_looking(item, before) for item in event.items]
    return event


def _fields(story: Story, change: Change) -> dict[str, Any]:
    if change.fields is not None:
        return dict(change.fields)
    assert change.moment is not None  # the wording asks for one
    items = [{"product_id": product} for product in change.products]
    return {"type": change.type, "time": _time(story.events, change.moment, change.said), "items": items}


def _time(events: Iterable[Touchpoint], moment: Moment, said: str) -> int:
    """Without a day it is that on which the person did all they did. Raises BadInput if there are several."""
    days = sorted({event.time // DAY * DAY for event in events})
    if moment.day is not None:
        return moment.day + moment.of_day
    if len(days) > 1:
        first, last = (format_time(day)[:10] for day in (days[0], days[-1]))
        example = format_time(days[-1] + moment.of_day)[:19].replace("T", " ")
        raise BadInput([f"--what-if {shown(said)}: on which day, of {first} to {last}? write at {example}"])
    return days[0] + moment.of_day


def _looking(item: Item, before: Sequence[Touchpoint]) -> Item:
    for event in reversed(before):
        for known in event.items:
            if known.product_id == item.product_id:
                said = {name: value for name in item.__struct_fields__
                        if (value := getattr(item, name)) is not None}  # fmt: skip
                return replace(known, **{"quantity": None, **said})
    return item


def _put(story: Story, event: Touchpoint) -> Story:
    """The event comes on time, behind what the lane had got by then."""
    stamped = any(step.timestamp >= 0 for step in story.steps)
    step = Step(event.time, event.time if stamped else -1, event)
    behind = [index for index, one in enumerate(story.steps) if one.place > event.time]
    at = behind[0] if behind else len(story.steps)
    steps = (*story.steps[:at], step, *story.steps[at:])
    return story._replace(steps=steps, end=max(story.end, event.time))
