"""The matcher: all rules turned round, so that an event finds at once what it may count, touch or end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from retarget.journeys import prices, stages
from retarget.rules import subjects, tallies
from retarget.rules.conditions import Condition, Formula
from retarget.rules.model import (
    ANYTHING,
    Becomes,
    Catalogue,
    Count,
    Date,
    Ending,
    Event,
    Quiet,
    Rule,
    Succession,
)
from retarget.times import DAY
from retarget.touchpoints import IMPERSONAL, NOT_CAUSED_BY_PERSON, TYPES, Touchpoint

# What a cart holds may change with these; conditions that end an episode are judged on them while held.
CART_TYPES: Final = frozenset({"add", "remove", "cart", "purchase"})


# Conditions with these look at a product however long ago it was seen.
_OF_PRODUCTS_SEEN: Final = frozenset({"product.price", "product.category", "product.since_viewed"})
# At an event about the product it has just been seen, so its price is known without that.
_KNOWN_AT_EVENTS: Final = frozenset({"product.price", "product.category"})
_OF_OFFERS: Final = frozenset({"product.price_now", "product.stock", "product.margin"})
FOR_GOOD: Final = 400 * DAY
# Intervals may be long; what is bought is kept, so the times are bounded by their number alone.
FOR_EVER: Final = 36500 * DAY
# What a shop is always heard of, unless events get lost.
HEARTBEAT: Final = "purchase"
# With these, dates may come that a rule waits for.
TELLING_TRAITS: Final = ("identify", "profile")


class Counted(NamedTuple):
    """Events of `types` about subjects of a kind, counted under `name` as far back as `within` ms.

    `distinct` is kept beside each; of a `category`, only those with a product of it.
    """

    name: str
    types: tuple[str, ...]
    kind: str
    distinct: str | None
    within: int
    category: str | None = None


class TallyPlan(NamedTuple):
    """Count events of a type under `name`, per subject; `keep` is the longest window that asks, in ms.

    `pairs_of`: the subjects with what is kept beside each, where subjects alone are not enough. From `least`
    events on a count rule may be complete.
    """

    name: str
    subjects_of: Callable[[Touchpoint], list[str]]
    pairs_of: Callable[[Touchpoint], list[tuple[str, str | float]]] | None
    keep: int
    least: int


class Compiled:
    """A rule with what the lane looks up all the time, worked out once."""

    __slots__ = (
        "catalogue",
        "conditional",
        "count",
        "date",
        "endings",
        "name",
        "own_tally",
        "quiet",
        "rule",
        "sequence",
        "subjects_of",
        "tally",
        "yearly",
    )

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.name = rule.name
        self.subjects_of = subjects.OF[rule.subject]
        self.quiet = rule.trigger if isinstance(rule.trigger, Quiet) else None
        self.count = rule.trigger if isinstance(rule.trigger, Count) else None
        self.sequence = rule.trigger if isinstance(rule.trigger, Succession) else None
        self.date = rule.trigger if isinstance(rule.trigger, Date) else None
        self.catalogue = rule.trigger if isinstance(rule.trigger, Catalogue) else None
        self.yearly = self.date is not None and self.date.every is not None
        self.endings = {ending.event: ending for ending in rule.unless if ending.event}
        self.conditional = tuple(ending.when for ending in rule.unless if ending.when)
        self.own_tally = bool(self.count and rule.unless)
        self.tally = self._tally_name()

    def _tally_name(self) -> str:
        if self.sequence is not None:
            before = {*self.sequence.first, *self.sequence.without}
            return tallies.key(before, self.rule.subject, subjects.TYPE, self.name)
        if self.date is not None and self.date.interval:
            return tallies.key(self.date.interval, self.rule.subject, subjects.ORDER)
        if self.count is None:
            return ""
        own = self.name if self.own_tally else None
        count = self.count
        return tallies.key(count.of, self.rule.subject, tallies.valued(count), own, count.category)


class Touch(NamedTuple):
    """An event of this type opens or touches episodes of this quiet rule."""

    compiled: Compiled
    opens: bool
    touches: bool


class Plan:
    """What an event of one type means to the rules; `acts`: more than that it may have to be counted.

    `heard`: that such events come tells guarded rules that they may go on.
    """

    __slots__ = ("acts", "counts", "dates", "endings", "events", "heard", "sequences", "tallies", "touches")

    def __init__(self) -> None:
        self.tallies: list[TallyPlan] = []
        self.endings: list[tuple[Compiled, Ending]] = []
        self.touches: list[Touch] = []
        self.counts: list[Compiled] = []
        self.events: list[Compiled] = []
        self.sequences: list[Compiled] = []
        self.dates: list[Compiled] = []
        self.acts = False
        self.heard = False


class Matcher:
    """All rules of one bundle, indexed by event type."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = {rule.name: Compiled(rule) for rule in rules}
        ordered = sorted(self.rules.values(), key=lambda c: (-c.rule.priority, c.name))
        self.becomes = [c for c in ordered if isinstance(c.rule.trigger, Becomes)]
        self.conditional = [c for c in ordered if c.conditional]
        self.catalogue = [c for c in ordered if c.catalogue is not None]
        # Whether anybody's decisions hang on the catalogue, so that people follow the products they look at.
        self.follows = bool(self.catalogue) or any(map(_asks_offer, rules)) or any(map(_shows_one, rules))
        self.keeps: dict[str, int] = {}
        self.asks_stage = any(_asks_stage(rule) for rule in rules)
        self.product_reach = max((_product_reach(rule) for rule in rules), default=0)
        self.plans = {name: Plan() for name in TYPES - IMPERSONAL}
        for compiled in ordered:
            self._index(compiled)
        self.guarded = any(rule.guarded for rule in rules)
        if self.guarded:
            self.plans[HEARTBEAT].acts = self.plans[HEARTBEAT].heard = True
        self._index_tallies(ordered)
        self.ending_types = self._ending_types()

    def _index(self, compiled: Compiled) -> None:
        trigger = compiled.rule.trigger
        for name, plan in self.plans.items():
            if name in compiled.endings:
                plan.endings.append((compiled, compiled.endings[name]))
            if isinstance(trigger, Quiet):
                touch = Touch(compiled, _among(name, trigger.opens), _among(name, trigger.touches))
                if touch.opens or touch.touches:
                    plan.touches.append(touch)
            elif isinstance(trigger, Count) and name in trigger.of:
                plan.counts.append(compiled)
            elif isinstance(trigger, Event) and name in trigger.of:
                plan.events.append(compiled)
            elif isinstance(trigger, Succession) and name in trigger.then:
                plan.sequences.append(compiled)
            elif isinstance(trigger, Date) and name in (trigger.interval or TELLING_TRAITS):
                plan.dates.append(compiled)
            plan.acts = bool(plan.endings or plan.touches or plan.events or plan.sequences or plan.dates)

    def _index_tallies(self, ordered: Sequence[Compiled]) -> None:
        wanted: dict[str, Counted] = {}
        for compiled in ordered:
            for counted in _windows(compiled):
                wanted[counted.name] = counted
                self.keeps[counted.name] = max(counted.within, self.keeps.get(counted.name, 0))
        for name, (_, types, kind, distinct, _, category) in sorted(wanted.items()):
            asked = [c.count.at_least for c in ordered if c.count and c.tally == name]
            least = min(asked, default=tallies.KEPT + 1)
            pairs_of = subjects.counting(kind, distinct, category)
            plan = TallyPlan(name, subjects.OF[kind], pairs_of, self.keeps[name], least)
            for event_type in types:
                self.plans[event_type].tallies.append(plan)

    def _ending_types(self) -> frozenset[str]:
        named = {name for compiled in self.rules.values() for name in compiled.endings}
        return frozenset(named | CART_TYPES if self.conditional else named)


def _among(event_type: str, types: tuple[str, ...]) -> bool:
    return event_type in types or (ANYTHING in types and event_type not in NOT_CAUSED_BY_PERSON)


def _conditions(rule: Rule) -> list[Condition | Formula]:
    """Everything that looks at the person's state."""
    trigger = rule.trigger
    found: list[Condition | Formula | None] = [rule.condition, *(e.when for e in rule.unless), rule.value]
    found += [said for step in rule.steps for said in (step.condition, step.value)]
    if isinstance(trigger, Quiet):
        found.append(trigger.when)
    if isinstance(trigger, Becomes):
        found.extend(trigger.states.values())
    return [condition for condition in found if condition is not None]


def _product_reach(rule: Rule) -> int:
    """How long after it was last seen a product may still be asked for or shown, ms.

    What the person carted, wished for or bought is kept apart from this.
    """
    trigger, last = rule.trigger, rule.steps[-1].after
    names = {name for condition in _conditions(rule) for name in condition.names}
    instant = isinstance(trigger, (Count, Event, Succession)) and not last
    asked = names & (_OF_PRODUCTS_SEEN - _KNOWN_AT_EVENTS if instant else _OF_PRODUCTS_SEEN)
    # News of the catalogue are for those alone who have seen the product of late.
    if asked and (last or not isinstance(trigger, Catalogue)):
        return FOR_GOOD
    wait = trigger.after if isinstance(trigger, Quiet) else 0
    wait = trigger.within if isinstance(trigger, (Count, Succession, Catalogue)) else wait
    looked = prices.REACH if prices.NAME in names else 0
    looked = max(looked, *(wait + last + step.products.within for step in rule.steps if step.products), 0)
    return max(wait + last, looked, stages.REACH if _asks_stage(rule) else 0) + DAY


def _asks_stage(rule: Rule) -> bool:
    return any(name.endswith(".stage") for c in _conditions(rule) for name in c.names)


def _asks_offer(rule: Rule) -> bool:
    guarded = any(offer.least_margin is not None for step in rule.steps for offer in step.offers)
    return guarded or any(name in _OF_OFFERS for condition in _conditions(rule) for name in condition.names)


def _shows_one(rule: Rule) -> bool:
    """Whether it writes about one product, which may be gone by then."""
    return rule.subject == "product" and any(step.channels for step in rule.steps)


def _windows(compiled: Compiled) -> list[Counted]:
    """Every tally a rule needs."""
    return [*_of_trigger(compiled), *_of_conditions(compiled.rule), *_of_steps(compiled.rule)]


def _of_trigger(compiled: Compiled) -> Iterator[Counted]:
    name, kind = compiled.tally, compiled.rule.subject
    if compiled.count:
        count = compiled.count
        yield Counted(name, count.of, kind, tallies.valued(count), count.within, count.category)
    if compiled.sequence is not None:
        sequence = compiled.sequence
        types = tuple({*sequence.first, *sequence.without})
        yield Counted(name, types, kind, subjects.TYPE, sequence.within)
    if compiled.date is not None and compiled.date.interval:
        yield Counted(name, compiled.date.interval, kind, subjects.ORDER, FOR_EVER)


def _of_conditions(rule: Rule) -> Iterator[Counted]:
    for condition in _conditions(rule):
        for window in condition.windows:
            kind, number, category = window.about or rule.subject, window.number, window.category
            name = tallies.key(window.types, kind, number, category=category)
            yield Counted(name, window.types, kind, number, window.within, category)
    if _asks_stage(rule):
        yield Counted(stages.VIEW_TALLY, ("view",), "product", None, stages.CONSIDERED_WITHIN)


def _of_steps(rule: Rule) -> Iterator[Counted]:
    for shown in (step.products for step in rule.steps):
        if shown is not None:
            name = tallies.shown_key(shown, rule.subject)
            yield Counted(name, shown.of, rule.subject, "product", shown.within, shown.category)
