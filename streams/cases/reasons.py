"""Why a rule stayed silent: the case runs again, each time without another of the rule's own demands.

What comes then shows what stood in the way. The engine knows nothing of it: it runs another rule each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from retarget import catalogue
from retarget.rules import customs
from retarget.rules.model import (
    ANYTHING,
    NEVER,
    Catalogue,
    Count,
    Date,
    Ending,
    Event,
    Quiet,
    Rule,
    Succession,
    Trigger,
)
from retarget.times import DAY, format_duration
from retarget.touchpoints import Touchpoint
from streams.cases.comparing import comes
from streams.cases.reading import Ready
from streams.cases.running import Stage

_LONG: Final = 3660 * DAY
# A count is tried with fewer down to one, but not more often than this.
_FEWER: Final = 20


class _Demand(NamedTuple):
    """Something that a rule asks for; `said`: what it would come with or without, if it did not."""

    said: str
    waived: Callable[[Rule], Rule]


async def reason(ready: Ready, place: int) -> str | None:
    """A sentence on what kept an expectation from being met; None: the rule's demands do not explain it."""
    missing = ready.prepared.case.expect[place]
    tried = _Trying(ready, place)
    demands = list(_demands(tried.rule, missing.step))
    for demand in demands:
        if await tried.comes([demand]):
            return f"it would come {demand.said}"
    if not await tried.comes(demands):
        return _unheard(tried.rule, ready.prepared.touchpoints)
    # Of several counts the least comes last, so that the greatest that will do is left.
    for demand in reversed(demands):
        fewer = [one for one in demands if one is not demand]
        if await tried.comes(fewer):
            demands = fewer
    *first, last = [demand.said for demand in demands]
    return f"it would come {', '.join(first)} and {last}"


class _Trying:
    """One case, run under forms of one of its rules."""

    def __init__(self, ready: Ready, place: int) -> None:
        self._ready, self._place, self._stage = ready, place, Stage()
        own, missing = ready.rules[0].name, ready.prepared.case.expect[place]
        (self.rule,) = [rule for rule in ready.rules if rule.name == (missing.rule or own)]
        self._runs = 0

    async def comes(self, waived: Sequence[_Demand]) -> bool:
        """Whether what is missing comes when the rule does not ask for these."""
        rule = self.rule
        for demand in waived:
            rule = demand.waived(rule)
        self._runs += 1
        rule = replace(rule, version=f"{rule.version}-{self._runs}")
        rules = [rule if one.name == rule.name else one for one in self._ready.rules]
        came = await self._stage.run(self._ready.prepared, rules)
        return comes(self._ready.prepared, came.outcomes, self._ready.rules[0].name, self._place)


def _demands(rule: Rule, step: int | None) -> Iterator[_Demand]:
    if rule.condition is not None:
        yield _Demand(f"without `if: {rule.condition.text}`", partial(replace, condition=None))
    for ending in rule.unless:
        said = ending.event or (f"when: {ending.when.text}" if ending.when else "")
        yield _Demand(f"without `unless: {said}`", partial(_unended, ending))
    if rule.again:
        again = "never" if rule.again == NEVER else format_duration(rule.again)
        yield _Demand(f"without `again: {again}`", partial(replace, again=0))
    for said, easier in _easier(rule.trigger):
        yield _Demand(said, partial(_triggered, easier))
    for number, one in enumerate(rule.steps, 1):
        if one.condition is not None and step in (None, number):
            yield _Demand(f"without `if: {one.condition.text}` of step {number}", partial(_unasked, number))


def _unended(ending: Ending, rule: Rule) -> Rule:
    return replace(rule, unless=tuple(one for one in rule.unless if one != ending))


def _triggered(changes: Mapping[str, Any], rule: Rule) -> Rule:
    return replace(rule, trigger=replace(rule.trigger, **changes))


def _unasked(number: int, rule: Rule) -> Rule:
    steps = list(rule.steps)
    steps[number - 1] = replace(steps[number - 1], condition=None)
    return replace(rule, steps=tuple(steps))


def _easier(trigger: Trigger) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """By which changes a trigger asks for less, each in one respect."""
    if isinstance(trigger, (Quiet, Catalogue)) and trigger.when is not None:
        yield f"without `when: {trigger.when.text}`", {"when": None}
    if isinstance(trigger, Quiet) and trigger.touches:
        yield "if nothing restarted the silence", {"touches": ()}
    if isinstance(trigger, Count) and trigger.category is not None:
        yield "in any category", {"category": None}
    if isinstance(trigger, (Count, Succession, Catalogue)):
        yield f"with a longer `within` than {format_duration(trigger.within)}", {"within": _LONG}
    if isinstance(trigger, Succession) and trigger.without:
        yield f"without `without: {', '.join(trigger.without)}`", {"without": ()}
    if isinstance(trigger, Count):
        for fewer in range(trigger.at_least - 1, max(trigger.at_least - _FEWER, 1) - 1, -1):
            yield f"with `at_least: {fewer}`", {"at_least": fewer}


def _unheard(rule: Rule, events: Sequence[Touchpoint]) -> str | None:
    """That no event of the case is one that the rule waits for, if so."""
    waits = _waits_for(rule.trigger)
    if not waits or ANYTHING in waits or any(customs.kind_in(waits, event) in waits for event in events):
        return None
    return f"it waits for {' or '.join(waits)}, and none comes"


def _waits_for(trigger: Trigger) -> Sequence[str]:
    if isinstance(trigger, Quiet):
        return trigger.opens
    if isinstance(trigger, (Count, Event)):
        return trigger.of
    if isinstance(trigger, Succession):
        return trigger.then
    if isinstance(trigger, Date):
        return trigger.interval
    return (catalogue.TYPE,) if isinstance(trigger, Catalogue) else ()
