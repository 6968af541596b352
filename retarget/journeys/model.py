"""One person's journey: all that the rules may ask about, as small mutable records.

A lane changes its own working copy in place during a step and hands the bytes to the store (`wire`). The
records are positional on the wire: new fields are only ever appended, with a default. Times are epoch ms, 0
is never.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

# Among the marks of a rule: stands for every subject.
ANYTHING: Final = "\0"
# Between a rule's name and the version that decides in shadow, under which its state is kept.
SHADOW_MARK: Final = "~"


class CartLine(msgspec.Struct, array_like=True, gc=False):
    """One product in a cart."""

    quantity: float
    price: float | None = None
    since: int = 0  # last put in


class Offer(msgspec.Struct, array_like=True, gc=False):
    """A product as the shop offers it now, as far as the catalogue said so."""

    price: float | None = None
    stock: float | None = None
    margin: float | None = None
    expires: int = 0
    said: int = 0  # when the price was


class Product(msgspec.Struct, array_like=True, gc=False):
    """What this person has had to do with one product, and how it last looked to them."""

    seen: int = 0  # the last event of any kind
    viewed: int = 0
    wished: int = 0  # on the wish list since; 0 when not on it
    carted: int = 0  # last put into a cart that still holds it; 0 when in none
    bought: int = 0
    category: str | None = None
    price: float | None = None
    name: str | None = None
    url: str | None = None
    image_url: str | None = None
    regarded: int = 0  # last viewed, carted or wished for
    followed: bool = False  # the lane's index of products has this person
    offer: Offer | None = None
    priced: int = 0  # when the price was told; 0: when it was last seen; -1: then, by the catalogue
    currency: str | None = None  # of the price
    personalisation: dict[str, str] | None = None  # what the person has had written upon it


# Events of one kind about one subject in time order, flat in one list: id, time, id, time, ... Where distinct
# values are counted the value stands before each id. An object for each event would cost several times that.
Tally: TypeAlias = list[Any]


class Episode(msgspec.Struct, array_like=True, gc=False):
    """A rule's open case about one subject."""

    opened_by: str  # the event's id, or the year of a yearly date
    opened: int
    touched: int
    due: int
    step: int = 1  # the next step to decide
    decided: int = 0  # when step 1 was decided
    counts: dict[str, int] = {}  # events of each type since it opened
    evidence: list[str] = []  # the opening event and the latest touches
    trace: str | None = None  # of the latest touch that had one
    products: list[str] = []  # of a checkout or an order, which no cart holds any more
    year: int = 0  # whose turn it is, of a yearly date
    version: str = ""  # of the rule that opened it, where that is to finish it
    about: list[str] = []  # the products by which an event can end it, where its rule asks
    began: int = 0  # what its later steps count as open since; 0: still at step 1


class Bid(NamedTuple):
    """What a message competes with against others of the person: the most value wins, then the priority."""

    value: float
    priority: int
    due: int


class Deferred(msgspec.Struct, array_like=True, gc=False):
    """A decision that waits for the end of quiet hours, for room in a cap, or for others to compete with."""

    release: int
    rule: str
    subject: str
    episode: str
    step: int
    due: int
    closed: bool = False
    evidence: list[str] = []
    trace: str | None = None
    products: list[str] = []
    value: float | None = None  # what it was expected to be worth when its rule decided
    bid: Bid | None = None  # it competes, since it passed the gates before
    channel: str = ""  # the only one, of a step that goes to all of its channels
    version: str = ""  # as in the episode
    about: list[str] = []  # as in the episode, and what it shows
    person: str = ""  # whom it was decided for, where that is an anonymous person who has been joined since
    began: int = 0  # since when it was open as it was decided; 0: since its due

    @property
    def shadow(self) -> bool:
        """Whether it was decided in shadow: it will be told of, and have no effect."""
        return SHADOW_MARK in self.rule


class Send(msgspec.Struct, array_like=True, gc=False):
    """One message that left: counted by caps, recalled when its ending event comes after it."""

    at: int
    rule: str
    subject: str
    episode: str
    step: int
    channel: str
    purpose: str
    tags: list[str]
    message_id: str
    decision_id: str
    until: int  # recallable until then; 0 once recalled
    leaves: int = 0  # when a rate lets it go, where that is later; caps count it there
    bid: Bid | None = None  # by which it beat others
    about: list[str] = []  # as in the deferred
    key: str = ""  # that of its message, where an anonymous person got it who has been joined since

    @property
    def counts_at(self) -> int:
        """When the person gets it at the earliest."""
        return max(self.at, self.leaves)


class Membership(msgspec.Struct, array_like=True, gc=False):
    """The person is in an ad audience because of this rule and subject."""

    audience: str
    rule: str
    subject: str
    episode: str
    since: int
    expires: int  # 0: until told otherwise
    message_id: str
    about: list[str] = []  # as in the send
    to: dict[str, Any] = {}  # what they were added by; empty: not noted, as by earlier builds

    def lasts(self, at: int) -> bool:
        """Whether they have not left by themselves by then, epoch ms."""
        return not self.expires or at < self.expires


class Given(msgspec.Struct, array_like=True, gc=False):
    """An offer as it was given; `step` is the one that made it, `at` when it left first."""

    code: str
    rule: str
    subject: str
    episode: str
    step: int
    at: int
    expires: int
    percent: float | None = None
    amount: float | None = None
    currency: str | None = None
    minimum_basket: float | None = None


class Consent(msgspec.Struct, array_like=True, gc=False):
    """The latest word of the person on one (purpose, channel)."""

    granted: bool
    at: int
    basis: str | None = None
    text_version: str | None = None
    refused: int = 0  # the latest no to the same before this word; 0: never

    @property
    def last_refusal(self) -> int:
        """When it was refused last, by this word or one before it; 0: never."""
        return max(self.refused, 0 if self.granted else self.at)


class Paid(msgspec.Struct, array_like=True, gc=False):
    """What an order cost, in thousandths, and what of it was given back; `whole`: all of it."""

    currency: str = ""  # empty: only what was given back is known
    gross: int = 0
    back: int = 0
    whole: bool = False

    @property
    def net(self) -> int:
        """What remains."""
        return 0 if self.whole else max(self.gross - self.back, 0)


class Session(msgspec.Struct, array_like=True, gc=False):
    """The person's current visit: ends when they are silent for longer than 30 min."""

    started: int = 0
    last: int = 0
    events: int = 0


class Chat(msgspec.Struct, array_like=True, gc=False, order=True):
    """A chat, and where it can be read: by its own id, else that of the event which told of it."""

    at: int
    transcript: str


class Journey(msgspec.Struct, array_like=True, gc=False, kw_only=True):
    """Everything a lane keeps of one person."""

    person: str
    user_id: str | None = None
    anonymous_id: str | None = None
    first: int = 0
    last: int = 0  # the latest event the person caused
    session: Session = msgspec.field(default_factory=Session)
    recent: list[str] = []  # the last applied event ids with their times, as `repeats` joins them
    recent_marks: str = ""  # a character of each, by which most new ids are told to be new
    earlier: dict[
        str, int
    ] = {}  # applied ids pushed out of `recent`, within the dedupe window: id -> event time
    carts: dict[str, dict[str, CartLine]] = {}
    products: dict[str, Product] = {}
    tallies: dict[str, dict[str, Tally]] = {}
    orders: dict[str, int] = {}  # order id -> its number
    order_count: int = 0
    episodes: dict[str, dict[str, Episode]] = {}
    marks: dict[str, dict[str, int]] = {}  # rule -> subject -> when `again` last let it pass
    states: dict[str, str] = {}  # `becomes` rule -> state
    sends: list[Send] = []
    deferred: list[Deferred] = []
    audiences: list[Membership] = []
    arms: dict[str, str] = {}
    consents: dict[str, Consent] = {}
    traits: dict[str, Any] = {}
    geo: dict[str, Any] | None = None
    bounced: list[str] = []
    erased: bool = False
    stage: int = -1  # highest of its products' stages; -1: none
    stage_until: int = 0  # when that stage may lapse without an event
    alarm: int = 0  # due time of the one wait that the lane holds for this person
    tidied: int = 0  # last removal of what no window reaches any more
    ended: dict[str, int] = {}  # latest ending event of a type or subject: judges touches that come late
    pauses: dict[str, int] = {}  # purpose -> until when a rule spares the person
    offers: list[Given] = []  # by codes that are good, or may still be said
    joined: dict[str, int] = {}  # anonymous ids of this person -> when they were last seen together
    moved: list[tuple[int, str]] = []  # a redirect: from when on events are whose; in order
    erased_at: int = 0  # by the lane's clock: nothing told of a time up to it says who else the person is
    sender: str = ""  # who of the shop has written to them
    paid: dict[str, Paid] = {}  # by order
    spent: dict[str, int] = {}  # by currency, in thousandths, of orders that are no longer in `paid`
    asked: dict[str, Consent] = {}  # grants that wait to be confirmed
    key: bytes = b""  # what is told of them outside is sealed by it; wrapped, and of this id alone
    used_codes: dict[str, int] = {}  # by orders, in plain letters -> since when
    chat: Chat | None = None  # the latest

    def was_erased(self, told: int) -> bool:
        """Whether the person has been forgotten since the time of which something is told, epoch ms."""
        return self.erased and told <= self.erased_at

    def owner(self, time: int) -> str:
        """Of a redirect: who had its id at a time, epoch ms: the latest by then, else the first."""
        return next((to for since, to in reversed(self.moved) if since <= time), self.moved[0][1])

    def close(self, rule: str, subject: str) -> None:
        """Forget the episode of a rule about a subject, if there is one."""
        by_subject = self.episodes.get(rule)
        if by_subject is not None:
            by_subject.pop(subject, None)
            if not by_subject:
                del self.episodes[rule]
