"""A difference as an operator reads it: what would have been otherwise, and what made it so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from retarget.rules.matcher import CART_TYPES, Matcher
from retarget.times import format_time
from retarget.touchpoints import Touchpoint
from streams.cases.outcomes import Wait
from streams.explaining import gate_line, timeline
from streams.what_if.changing import Changed, told
from streams.what_if.comparing import Difference
from streams.what_if.running import Said


def lines(difference: Difference, changed: Changed, matcher: Matcher) -> Iterator[str]:
    """One line with what it is, and below it why."""
    said = difference.after or difference.before
    assert said is not None  # a difference has a side
    entry = timeline(None, None, [said]).happened[0]
    yield f"{difference.kind:<8} {format_time(entry.at)}  {entry.text}"
    before, after = difference.before, difference.after
    if before is not None and after is not None and before["decided_at"] != after["decided_at"]:
        yield f"    instead of {before['decided_at']}"
    for reason in reasons(difference, changed, matcher):
        yield f"    {reason}"


def reasons(difference: Difference, changed: Changed, matcher: Matcher) -> list[str]:
    """The gate that made it so, or the event that opened, ended or fed it."""
    before, after = difference.before, difference.after
    found = [*_gates(difference), *_evidence(difference, changed)]
    said = after or before
    assert said is not None  # a difference has a side
    if not found:
        found = [*_endings(said["rule"], changed, matcher)]
    if not found and difference.kind in ("added", "removed"):
        found = ["nothing comes due for it any more" if after is None else "it comes due only now"]
    return found


def _gates(difference: Difference) -> Iterator[str]:
    """The gate that stops it in one run, with what it saw in either."""
    before, after = difference.before, difference.after
    if difference.kind == "moved":
        return
    for stopped, other, was in ((before, after, True), (after, before, False)):
        gate = stopped.get("reason") if stopped is not None else None
        if stopped is None or gate is None:
            continue
        yield f"{'stopped it' if was else 'stops it'}: {_gate(stopped, gate)}"
        if other is not None and (seen := _gate(other, gate)) is not None:
            yield f"{'now' if was else 'before'}: {seen}"
    both = (before or {}).get("message"), (after or {}).get("message")
    if before is not None and after is not None and all(both) and both[0] != both[1]:
        yield f"{_content(after)} instead of {_content(before)}"


def _gate(said: Said, name: str) -> str | None:
    gate = next((gate for gate in said.get("gates", ()) if gate["gate"] == name), None)
    return None if gate is None else " ".join(gate_line(name, gate.get("value"), gate.get("limit")).split())


def _content(said: Said) -> str:
    message = said["message"]
    products = " ".join(message["products"]) or "no products"
    return f"{message['template'] or message['audience']} ({products})"


def _evidence(difference: Difference, changed: Changed) -> Iterator[str]:
    ids = {
        **{event.id: f"{event.id} ({event.type}) is taken out" for event in changed.gone},
        **{event.id: f"{event.id} ({event.type}) is put in" for event in changed.new},
    }
    sides = [side["evidence"] if side is not None else [] for side in (difference.before, difference.after)]
    named = [sentence for event_id, sentence in ids.items() if any(event_id in side for side in sides)]
    yield from named
    if not named and all(sides) and sides[0] != sides[1]:
        yield f"evidence {', '.join(sides[1])} instead of {', '.join(sides[0])}"


def _endings(rule: str, changed: Changed, matcher: Matcher) -> Iterator[str]:
    compiled = matcher.rules[rule]
    for events, word in ((changed.gone, "no longer ends it"), (changed.new, "ends it")):
        for event in events:
            if compiled.endings_by(event):
                yield f"{event.id}, a {event.type}, {word}"
            elif event.type in CART_TYPES and compiled.conditional:
                conditions = ", ".join(condition.text for condition in compiled.conditional)
                yield f"{event.id}, a {event.type}, changes what ends it: {conditions}"


def wait_line(pair: tuple[Wait | None, Wait | None]) -> str:
    """What waits at the end in one run only, or until another time."""
    before, after = pair
    wait = after or before
    assert wait is not None  # a difference has a side
    kind = "removed" if after is None else "added" if before is None else "moved"
    instead = f", instead of {_wait(before)}" if before is not None and after is not None else ""
    about = f", {wait.about}" if wait.about else ""
    return f"{kind:<8} {format_time(wait.due)}  {wait.rule} step {wait.step}{about}{instead}"


def _wait(wait: Wait) -> str:
    return f"step {wait.step} at {format_time(wait.due)}"


def changes(changed: Changed) -> list[str]:
    """What is asked, with the events that are meant."""
    without = [f"without  {told(event)}" for event in changed.gone]
    return [*without, *(f"with     {told(event)}" for event in changed.new)]


def as_json(
    found: Sequence[Difference], same: int, waits: Sequence[tuple[Wait | None, Wait | None]],
    changed: Changed, matcher: Matcher,
) -> dict[str, Any]:  # fmt: skip
    """Everything, as JSON has it."""
    return {
        "without": [_event(event) for event in changed.gone],
        "with": [_event(event) for event in changed.new],
        "differences": [
            {
                "kind": one.kind,
                "because": reasons(one, changed, matcher),
                "before": one.before,
                "after": one.after,
            }
            for one in found
        ],
        "same": same,
        "waits": [{"before": _plain(before), "after": _plain(after)} for before, after in waits],
    }


def _event(event: Touchpoint) -> Mapping[str, Any]:
    products = [item.product_id for item in event.items if item.product_id]
    return {"id": event.id, "type": event.type, "time": format_time(event.time), "products": products}


def _plain(wait: Wait | None) -> Mapping[str, Any] | None:
    if wait is None:
        return None
    return {"due": format_time(wait.due), "rule": wait.rule, "step": wait.step, "subject": wait.about}
