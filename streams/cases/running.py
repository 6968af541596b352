"""Running a case: its events through the lane's own code, and the clock as far as anything waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from retarget import catalogue
from retarget.rules.model import Count, Date, Quiet, Rule, Succession
from retarget.times import DAY
from retarget.touchpoints import Touchpoint
from streams.cases.model import Prepared
from streams.cases.outcomes import Outcome, Wait, outcomes_of, waits_of
from streams.files import FileEvent
from streams.lanes.bundle import Bundle, bundle_of
from streams.lanes.pools import made_up
from streams.ports import Output
from streams.replaying import TOPIC, replay
from streams.settings import load_settings
from streams.stores.memory import MemoryStore

# Beyond a rule's own waits: stages lapse after two weeks, and every night ends.
_REST: Final = 31 * DAY
# Dates that lie further ahead need `until`.
_A_YEAR: Final = 366 * DAY


class Came(NamedTuple):
    """What came of a case; `dead` are the sentences of events that a rule failed on."""

    outcomes: list[Outcome]
    waits: list[Wait]
    dead: list[str]


class Stage:
    """Where cases run, one after another."""

    def __init__(self) -> None:
        self._bundles: dict[tuple[object, ...], Bundle] = {}

    async def run(self, prepared: Prepared, rules: Sequence[Rule]) -> Came:
        """Play the events, move the clock to where the case ends, and look at what there is."""
        outputs: list[Output] = []
        store = MemoryStore()
        events = (_as_read(touchpoint) for touchpoint in _with_end(prepared, rules))
        paused = dict.fromkeys(prepared.case.paused, 0)
        await replay(
            events, self._bundle(prepared.presets, rules), outputs.append, pauses=paused, store=store
        )
        stored = await store.journey(0, prepared.case.person)
        outcomes, dead = outcomes_of(outputs)
        return Came(outcomes, waits_of(stored), dead)

    def _bundle(self, presets: Mapping[str, str], rules: Sequence[Rule]) -> Bundle:
        """Cases of one file mostly share their settings."""
        key = (*sorted(presets.items()), *((rule.name, rule.version) for rule in rules))
        if key not in self._bundles:
            settings = load_settings(presets=presets)
            pools = made_up(rules)
            self._bundles[key] = bundle_of(settings, rules, [TOPIC], lanes=1, pools=pools)
        return self._bundles[key]


def _as_read(touchpoint: Touchpoint) -> FileEvent:
    """An event as if it had stood in a file; a record of the catalogue with its bytes."""
    if touchpoint.type != catalogue.TYPE:
        return FileEvent("case", 0, touchpoint, b"")
    (item,) = touchpoint.items
    said = {"product_id": item.product_id, "price": item.price, "stock": item.quantity}
    said |= {"id": touchpoint.id, **(touchpoint.traits or {})}
    raw = msgspec.json.encode({name: value for name, value in said.items() if value is not None})
    return FileEvent(touchpoint.id or "", 0, touchpoint, raw, listed=True)


def _with_end(prepared: Prepared, rules: Sequence[Rule]) -> list[Touchpoint]:
    """The events, and behind them one that only tells how late it has become."""
    touchpoints = list(prepared.touchpoints)
    last = max((touchpoint.time for touchpoint in touchpoints), default=0)
    end = last + max(map(_longest, rules)) + _REST if prepared.until is None else prepared.until
    return [*touchpoints, Touchpoint(id="the end", type="heartbeat", time=end)]


def _longest(rule: Rule) -> int:
    """How long after an event the rule may still do something, ms."""
    trigger = rule.trigger
    wait = trigger.after if isinstance(trigger, Quiet) else 0
    if isinstance(trigger, Date):
        wait = _A_YEAR - _REST if trigger.every else _A_YEAR  # yearly dates wait for ever: one of them
    counted = trigger.within if isinstance(trigger, (Count, Succession)) else 0
    joined = max((s.audience.expires or 0 for s in rule.steps if s.audience is not None), default=0)
    return wait + counted + max(step.after for step in rule.steps) + joined
