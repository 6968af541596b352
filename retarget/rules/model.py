"""What a rule says, checked and typed: the one form between the YAML and the matcher that the lane runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import msgspec

from retarget.rules.conditions import Condition, Formula

SubjectKind = Literal["person", "product", "category", "cart", "checkout", "order", "session", "query"]
Purpose = Literal["marketing", "service", "transactional"]
OverCap = Literal["drop", "defer", "next_channel"]
OnChange = Literal["anew", "finish"]
Channel = Literal["email", "push", "ads", "sms", "whatsapp", "direct_mail", "onsite", "chat", "service"]

# `again: never`: one decision per subject for good.
NEVER: Final = -1
# `offer: same`: what an earlier step of the series has offered, once more.
SAME: Final = "same"
# Stands for every event that the person caused (spec 3.3, win_back).
ANYTHING: Final = "anything"


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """Decided at each event of `of` by which `at_least` of them, or distinct values, lie in `within` ms.

    `distinct`: a word of `telling`, or days, which are those of UTC. `category`: only events with a product
    of it.
    """

    of: tuple[str, ...]
    at_least: int
    within: int
    distinct: str | None = None
    category: str | None = None


class Quiet(msgspec.Struct, frozen=True, kw_only=True):
    """Opened by `opens`, restarted by `touches` (where `when` holds), decided after `after` ms of silence.

    With empty `touches` it is a plain delay from the opening event.
    """

    after: int
    opens: tuple[str, ...]
    touches: tuple[str, ...]
    when: Condition | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Decided at every event of one of the types `of`."""

    of: tuple[str, ...]


class Succession(msgspec.Struct, frozen=True, kw_only=True):
    """Decided at each event of `then` that follows one of `first` within `within` ms.

    None of `without` may come between.
    """

    first: tuple[str, ...]
    then: tuple[str, ...]
    within: int
    without: tuple[str, ...] = ()


class Date(msgspec.Struct, frozen=True, kw_only=True):
    """Decided `shift` ms after a date, before it when negative: that of a trait, or an expected one.

    `interval` types are expected again after the median of at least two intervals between them, else after
    what `otherwise` says for the product's category. `every` year: on the day and month of the trait, from
    its own year on; `shift` then moves the clocks on the wall.
    """

    trait: str | None = None
    every: Literal["year"] | None = None
    interval: tuple[str, ...] = ()
    otherwise: Mapping[str, int] = {}
    shift: int = 0


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """Decided when the shop changes one of `of` of a product, in such a way that `when` holds.

    For everybody who viewed, carted or wished for it within `within` ms.
    """

    of: tuple[str, ...]
    within: int
    when: Condition | None = None


class Becomes(msgspec.Struct, frozen=True, kw_only=True):
    """Decided when the first state whose condition holds is a new one; `states` in order of precedence."""

    states: Mapping[str, Condition]


Trigger: TypeAlias = Count | Quiet | Event | Succession | Date | Catalogue | Becomes


# What an ending event must have in common with the episode.
Same: TypeAlias = Literal["subject", "product"]


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """What ends an open episode: an event type (`same`: only one about that), or a condition."""

    event: str | None = None
    same: Same | None = None
    when: Condition | None = None


class Audience(msgspec.Struct, frozen=True, kw_only=True):
    """Add the person to the ad audience `add` until `expires` ms later or an ending event.

    Or keep them in exactly one of `by_state`: state of a `becomes` rule -> audience.
    With `sets` in that of each product set that one of the products belongs to: set -> what belongs to it.
    Or take them out of `remove`, whichever rule has put them in.
    """

    add: str | None = None
    remove: str | None = None
    by_state: Mapping[str, str] = {}
    expires: int | None = None
    sets: Mapping[str, Condition] = {}

    @property
    def names(self) -> frozenset[str]:
        """Every audience that people may join or leave by it."""
        if self.sets:
            return frozenset(map(self.of_set, self.sets))
        own = {name for name in (self.add, self.remove) if name}
        return frozenset(self.by_state.values()) | own

    def name_in(self, state: str) -> str | None:
        """The audience that is joined or left by a decision, of a `becomes` rule by that for `state`."""
        return self.by_state.get(state) if self.by_state else self.add or self.remove

    def of_set(self, name: str) -> str:
        """The audience of a product set; no set has a `-` in its name, so no two have one audience."""
        return f"{self.add}-{name}"


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A discount of `percent`, or of `amount` in `currency`, by a code that is good for `expires` ms.

    From a basket of `minimum_basket` on. Not given where the expected margin, less the discount, is below
    `least_margin` or unknown. The code is from the pool `codes`; empty: worked out for the person.
    """

    percent: float | None = None
    amount: float | None = None
    currency: str | None = None
    expires: int
    minimum_basket: float | None = None
    least_margin: float | None = None
    codes: str = ""


class Ceiling(msgspec.Struct, frozen=True):
    """At most `most` messages of a rule, to all people together, in each `within` ms counted from 1970."""

    most: int
    within: int


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One of several forms of a step, drawn with `weight` among theirs; what it leaves out is the step's."""

    weight: int = 1
    channels: tuple[Channel, ...] = ()
    template: str = ""
    every: bool = False
    offer: Offer | None = None


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What a message shows: the products of events of `of`, at most `most`, that of the latest first.

    They lie in the `within` ms before the step is due; of a `category`, only its products.
    """

    of: tuple[str, ...]
    within: int
    category: str | None = None
    most: int = 10


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One send, `after` ms from the decision of step 1, by the first reachable and allowed of `channels`.

    With `every` by each of them that is.
    """

    after: int = 0
    channels: tuple[Channel, ...] = ()
    template: str = ""
    audience: Audience | None = None
    condition: Condition | None = None
    variants: Mapping[str, Variant] = {}
    value: Formula | None = None
    products: Shown | None = None
    every: bool = False
    offer: Offer | Literal["same"] | None = None

    @property
    def offers(self) -> tuple[Offer, ...]:
        """Every offer of its own, in whichever variant."""
        own = (self.offer, *(variant.offer for variant in self.variants.values()))
        return tuple(offer for offer in own if isinstance(offer, Offer))

    @property
    def templates(self) -> frozenset[str]:
        """Every template that it may send."""
        found = {self.template, *(variant.template for variant in self.variants.values())}
        return frozenset(found - {""})

    @property
    def channels_of_all(self) -> frozenset[Channel]:
        """Every channel that it may send on, in whichever variant."""
        return frozenset(self.channels).union(*(variant.channels for variant in self.variants.values()))


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing of `purpose` reaches the person for `lasts` ms from the decision of step 1 on."""

    purpose: Purpose = "marketing"
    lasts: int


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule as its author wrote it. Durations are ms; `again` is ms, 0 (every time) or NEVER."""

    name: str
    version: str
    description: str
    subject: SubjectKind
    trigger: Trigger
    condition: Condition | None = None
    unless: tuple[Ending, ...] = ()
    again: int = 0
    steps: tuple[Step, ...]
    priority: int = 50
    purpose: Purpose = "marketing"
    tags: tuple[str, ...] = ()
    expires: int | None = None
    over_cap: OverCap = "drop"
    ceiling: Ceiling | None = None
    hold_out: float = 0.0
    why: str = ""
    pauses: Pause | None = None
    value: Formula | None = None
    guarded: bool = False
    on_change: OnChange = "anew"

    @property
    def by_set(self) -> bool:
        """Whether one of its audiences is parted by product sets."""
        return any(step.audience is not None and step.audience.sets for step in self.steps)

    def value_of(self, step: Step) -> Formula | None:
        """What a message of the step is expected to be worth: its own word, else the rule's."""
        return step.value or self.value

    def offering_step(self, number: int) -> int:
        """The number of the step whose offer step `number` makes: its own, or the last before it."""
        if self.steps[number - 1].offer != SAME:
            return number
        before = range(number - 1, 0, -1)
        return next((earlier for earlier in before if self.steps[earlier - 1].offers), number)
