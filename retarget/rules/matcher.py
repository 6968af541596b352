"""The matcher: all rules turned round, so that an event finds at once what it may count, touch or end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

from msgspec.structs import replace

from retarget.journeys import prices, stages
from retarget.journeys.model import SHADOW_MARK
from retarget.rules import customs, subjects, tallies
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


# How a version is in force: for all, for the episodes that it opened, or without any effect.
Standing = Literal["live", "former", "shadow"]


class Compiled:
    """A rule with what the lane looks up all the time, worked out once; `name` is that of its state.

    `others`: the former versions, whose episodes it leaves to them; `in_force`: who opens what comes after.
    `opens_as`: the version that its episodes note; empty where the next version takes them over.
    """

    __slots__ = (
        "catalogue",
        "conditional",
        "count",
        "date",
        "endings",
        "ends_by_product",
        "former",
        "in_force",
        "name",
        "opens_as",
        "others",
        "own_tally",
        "quiet",
        "rule",
        "sequence",
        "shadow",
        "subjects_of",
        "tally",
        "yearly",
    )

    def __init__(self, rule: Rule, standing: Standing = "live", others: frozenset[str] = frozenset()) -> None:
        self.rule = rule
        self.former, self.shadow = standing == "former", standing == "shadow"
        self.name = f"{rule.name}{SHADOW_MARK}{rule.version}" if self.shadow else rule.name
        self.others, self.in_force = others, self
        self.opens_as = rule.version if rule.on_change == "finish" and not self.shadow else ""
        self.subjects_of = subjects.OF[rule.subject]
        self.quiet = rule.trigger if isinstance(rule.trigger, Quiet) else None
        # A former version counts and completes nothing any more.
        self.count = rule.trigger if isinstance(rule.trigger, Count) and not self.former else None
        self.sequence = rule.trigger if isinstance(rule.trigger, Succession) and not self.former else None
        self.date = rule.trigger if isinstance(rule.trigger, Date) else None
        self.catalogue = rule.trigger if isinstance(rule.trigger, Catalogue) else None
        self.yearly = self.date is not None and self.date.every is not None
        self.endings = {one.event: _narrowed(one, rule.subject) for one in rule.unless if one.event}
        self.ends_by_product = any(one.same == "product" for one in self.endings.values())
        self.conditional = tuple(ending.when for ending in rule.unless if ending.when)
        self.own_tally = bool(self.count and rule.unless)
        self.tally = self._tally_name()

    @property
    def asks_catalogue(self) -> bool:
        """Whether it cannot decide as it says without the shop's catalogue."""
        return self.catalogue is not None or _asks_offer(self.rule)

    def endings_by(self, event: Touchpoint) -> list[Ending]:
        """Those that an event is of the type of."""
        found = self.endings
        of_type = found.get(event.type)
        kind = customs.kind_in(found, event)
        return [one for one in (of_type, found[kind] if kind != event.type else None) if one is not None]

    def governs(self, version: str) -> bool:
        """Whether an episode that notes this version is this one's to touch, decide and end."""
        return version == self.rule.version if self.former else version not in self.others

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
    """An event of this type opens or touches episodes of this quiet rule; they count it as one of `kind`."""

    compiled: Compiled
    opens: bool
    touches: bool
    kind: str


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

    def __init__(
        self, rules: Sequence[Rule], former: Iterable[Rule] = (), shadows: Iterable[Rule] = ()
    ) -> None:
        """`former`: versions that finish what they opened; `shadows`: versions that decide without effect."""
        self._former = _former(rules, former)
        found = [Compiled(rule, others=_others(rule, self._former)) for rule in rules]
        found += [Compiled(rule, "shadow") for rule in shadows]
        # By the name of their state: rules in force, and beside them those in shadow.
        self.rules = {one.name: one for one in found}
        for one in self._former.values():
            one.in_force = self.rules[one.name]
        ordered = sorted(
            [*found, *self._former.values()], key=lambda c: (-c.rule.priority, c.name, c.rule.version)
        )
        self.becomes = [c for c in ordered if isinstance(c.rule.trigger, Becomes) and not c.former]
        self.conditional = [c for c in ordered if c.conditional]
        self.catalogue = [c for c in ordered if c.catalogue is not None and not c.former]
        # Whether anybody's decisions hang on the catalogue, so that people follow the products they look at.
        self.follows = any(c.asks_catalogue or _shows_one(c.rule) for c in ordered)
        self.keeps: dict[str, int] = {}
        self.asks_stage = any(_asks_stage(one.rule) for one in ordered)
        self.product_reach = max((_product_reach(one.rule) for one in ordered), default=0)
        # The shop's own events that a rule names; those of other names are of their type alone.
        kinds = {kind for one in ordered for kind in _kinds(one.rule)}
        self.customs = frozenset(filter(customs.is_named, kinds))
        self.plans = {name: Plan() for name in (TYPES - IMPERSONAL) | self.customs}
        for compiled in ordered:
            self._index(compiled)
        self.guarded = any(one.rule.guarded for one in ordered)
        if self.guarded:
            self.listen()
        self._index_tallies(ordered)
        self.ending_types = self._ending_types(ordered)

    def listen(self) -> None:
        """Let guarded rules know of the purchases that are heard here."""
        self.plans[HEARTBEAT].acts = self.plans[HEARTBEAT].heard = True

    def without_catalogue(self) -> None:
        """Let nobody follow products: the shop tells nothing of them."""
        self.follows = False

    def of(self, name: str, version: str) -> Compiled:
        """By which version an episode or a deferred message of this rule goes on that notes `version`."""
        return (self._former.get((name, version)) if version else None) or self.rules[name]

    def _index(self, compiled: Compiled) -> None:
        trigger = compiled.rule.trigger
        for name, plan in self.plans.items():
            plan.endings += [
                (compiled, one) for kind, one in compiled.endings.items() if customs.covers(kind, name)
            ]
            if isinstance(trigger, Quiet):
                opens, touches = _among(name, trigger.opens), _among(name, trigger.touches)
                if opens or touches:
                    plan.touches.append(Touch(compiled, opens and not compiled.former, touches, name))
            elif compiled.former and not isinstance(trigger, Date):
                pass
            elif isinstance(trigger, Count) and _among(name, trigger.of):
                plan.counts.append(compiled)
            elif isinstance(trigger, Event) and _among(name, trigger.of):
                plan.events.append(compiled)
            elif isinstance(trigger, Succession) and _among(name, trigger.then):
                plan.sequences.append(compiled)
            elif isinstance(trigger, Date) and _among(name, trigger.interval or TELLING_TRAITS):
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
            pairs_of = subjects.counting(kind, distinct, category, types)
            plan = TallyPlan(name, subjects.OF[kind], pairs_of, self.keeps[name], least)
            for event_type in self.plans:
                if any(customs.covers(one, event_type) for one in types):
                    self.plans[event_type].tallies.append(plan)

    def _ending_types(self, ordered: Sequence[Compiled]) -> frozenset[str]:
        named = {customs.base_of(name) for compiled in ordered for name in compiled.endings}
        return frozenset(named | CART_TYPES if self.conditional else named)


def _narrowed(ending: Ending, kind: str) -> Ending:
    """For a rule about products, the same product is its subject."""
    return replace(ending, same="subject") if ending.same == kind == "product" else ending


def _former(rules: Sequence[Rule], former: Iterable[Rule]) -> dict[tuple[str, str], Compiled]:
    """What finishes its own episodes beside these rules; what is gone, or in force, does not."""
    names, live = {rule.name for rule in rules}, {(rule.name, rule.version) for rule in rules}
    kept = (one for one in former if one.name in names and (one.name, one.version) not in live)
    return {(one.name, one.version): Compiled(one, "former") for one in kept}


def _others(rule: Rule, former: Iterable[tuple[str, str]]) -> frozenset[str]:
    return frozenset(version for name, version in former if name == rule.name)


def _among(event_type: str, types: tuple[str, ...]) -> bool:
    if ANYTHING in types and event_type not in NOT_CAUSED_BY_PERSON:
        return True
    return any(customs.covers(one, event_type) for one in types)


def _kinds(rule: Rule) -> Iterator[str]:
    """Every touchpoint type that a rule names."""
    trigger = rule.trigger
    for part in ("of", "opens", "touches", "first", "then", "without", "interval"):
        if not isinstance(trigger, Catalogue):
            yield from getattr(trigger, part, ())
    yield from (ending.event for ending in rule.unless if ending.event)
    yield from (kind for step in rule.steps if step.products for kind in step.products.of)
    for condition in _conditions(rule):
        yield from condition.texts


def _conditions(rule: Rule) -> list[Condition | Formula]:
    """Everything that looks at the person's state."""
    trigger = rule.trigger
    found: list[Condition | Formula | None] = [rule.condition, *(e.when for e in rule.unless), rule.value]
    found += [said for step in rule.steps for said in (step.condition, step.value)]
    found += [said for step in rule.steps if step.audience for said in step.audience.sets.values()]
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
