"""The decision and the rules as plain data."""

from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

NEVER = -1
"""The `again` of a rule that is decided once per subject."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One final decision record; `due` in epoch milliseconds, `audience` is not compared."""

    rule: str
    person: str
    subject_kind: str
    subject_id: str
    step: int
    due: int
    outcome: str
    reason: str = ""
    channel: str
    operation: str
    audience: str = field(default="", compare=False)
    not_before: int | None = field(default=None, compare=False)
    experiment: tuple[str, str, float] | None = field(default=None, compare=False)
    code: tuple[str, ...] = field(default=(), compare=False)
    """What makes the offer's code another one, () without an offer; and until when the code is good."""
    good_until: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Variant:
    """One form of a rule's steps; without channels it has the rule's."""

    name: str
    weight: int
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What the engine of the oracle has to know of a rule; the conditions are in `rules.py`."""

    name: str
    priority: int
    kind: str
    again: int
    channels: tuple[str, ...]
    wait: int = 0
    plain_delay: bool = False
    steps: tuple[int, ...] = (0,)
    audience: str = ""
    by_set: bool = False
    by_stage: bool = False
    """Step 1 is an audience for each stage, and nothing else; it does not expire."""
    purpose: str = "marketing"
    tags: tuple[str, ...] = ()
    over_cap: str = "drop"
    expires: int = 0
    ceiling: tuple[int, int] | None = None
    variants: tuple[Variant, ...] = ()
    value: str = ""
    guarded: bool = False
    yearly: bool = False
    of_catalogue: bool = False
    """Decided when a record of the catalogue changes something, and looked at again before it leaves."""
    every: bool = False
    """Each of the channels is meant, not the first that will do."""
    offers: tuple[tuple[int, int, int], ...] = ()
    """Steps that offer something, the step whose offer it is, and how long its code is good."""


@dataclass(frozen=True)
class Step:
    """One step of one episode, due at `due` milliseconds."""

    rule: Rule
    person: str
    subject: str
    number: int
    due: int
    episode: str = ""
    began: int | None = None
    """Since when it is open; None: since it is due."""

    def since(self) -> int:
        """Since when it is open."""
        return self.due if self.began is None else self.began


RULES = {
    rule.name: rule
    for rule in (
        Rule(
            name="service_care",
            tags=("care",),
            priority=95,
            kind="person",
            again=7 * DAY,
            channels=("service",),
            purpose="service",
        ),
        Rule(
            name="abandoned_checkout",
            guarded=True,
            tags=("cart",),
            priority=90,
            kind="checkout",
            again=DAY,
            channels=("email", "push"),
            wait=60 * MINUTE,
        ),
        Rule(
            name="abandoned_cart",
            guarded=True,
            tags=("cart",),
            priority=80,
            kind="cart",
            again=DAY,
            channels=("push", "email"),
            wait=30 * MINUTE,
            steps=(0, 24 * HOUR, 72 * HOUR),
            audience="abandoned_cart",
        ),
        Rule(
            name="first_purchase",
            tags=("welcome",),
            priority=70,
            kind="order",
            again=NEVER,
            channels=("email",),
        ),
        Rule(
            name="loyal_customer",
            tags=("loyalty",),
            priority=68,
            kind="order",
            again=NEVER,
            channels=("email",),
        ),
        Rule(
            name="chat_follow_up",
            tags=("chat",),
            priority=62,
            kind="person",
            again=14 * DAY,
            channels=("email", "sms", "push"),
            wait=4 * HOUR,
            offers=((1, 1, 48 * HOUR),),
        ),
        Rule(
            name="refill",
            tags=("refill",),
            priority=57,
            kind="product",
            again=0,
            channels=("email", "push"),
        ),
        Rule(
            name="price_hesitation",
            tags=("browse",),
            priority=58,
            kind="product",
            again=30 * DAY,
            channels=("email",),
        ),
        Rule(
            name="social_thanks",
            tags=("social",),
            priority=44,
            kind="person",
            again=30 * DAY,
            channels=("email",),
        ),
        Rule(
            name="store_follow_up",
            tags=("store",),
            priority=42,
            kind="person",
            again=30 * DAY,
            channels=("email",),
            wait=DAY,
            plain_delay=True,
        ),
        Rule(
            name="brochure",
            tags=("print",),
            priority=35,
            kind="product",
            again=90 * DAY,
            channels=("direct_mail",),
        ),
        Rule(
            name="repeated_view",
            tags=("browse",),
            priority=60,
            kind="product",
            again=7 * DAY,
            channels=("push",),
            audience="repeated_view",
        ),
        Rule(
            name="wishlist_reminder",
            tags=("wishlist",),
            priority=55,
            kind="product",
            again=30 * DAY,
            channels=("email",),
            wait=3 * DAY,
        ),
        Rule(
            name="browse_abandonment",
            guarded=True,
            tags=("browse",),
            priority=50,
            kind="person",
            again=7 * DAY,
            channels=("email",),
            wait=60 * MINUTE,
        ),
        Rule(
            name="search_abandonment",
            guarded=True,
            tags=("browse",),
            priority=48,
            kind="query",
            again=7 * DAY,
            channels=("email",),
            wait=60 * MINUTE,
        ),
        Rule(
            name="choice_overload",
            tags=("advice",),
            priority=45,
            kind="category",
            again=14 * DAY,
            channels=("onsite", "chat"),
        ),
        Rule(
            name="review_request",
            tags=("review",),
            priority=40,
            kind="order",
            again=NEVER,
            channels=("email",),
            wait=14 * DAY,
        ),
        Rule(
            name="win_back",
            tags=("win_back",),
            priority=30,
            kind="person",
            again=90 * DAY,
            channels=("email", "direct_mail"),
            wait=60 * DAY,
        ),
        Rule(
            name="price_drop",
            of_catalogue=True,
            tags=("catalogue",),
            priority=66,
            kind="product",
            again=14 * DAY,
            channels=("email", "push"),
            expires=48 * HOUR,
        ),
        Rule(
            name="back_in_stock",
            of_catalogue=True,
            tags=("catalogue",),
            priority=67,
            kind="product",
            again=14 * DAY,
            channels=("push", "email"),
            expires=48 * HOUR,
        ),
        Rule(
            name="low_stock",
            of_catalogue=True,
            tags=("catalogue",),
            priority=57,
            kind="product",
            again=14 * DAY,
            channels=("push", "email"),
            expires=24 * HOUR,
        ),
        Rule(name="ad_stage", priority=20, kind="person", again=0, channels=("ads",), by_stage=True),
    )
}


TRIED = {
    rule.name: rule
    for rule in (
        Rule(name="chat_then_add", priority=50, kind="person", again=0, channels=("email",)),
        Rule(name="before_the_day", priority=50, kind="person", again=0, channels=("email",)),
        Rule(name="each_year", priority=50, kind="person", again=0, channels=("email",), yearly=True),
        Rule(name="two_of_a_kind", priority=50, kind="person", again=DAY, channels=("email",), wait=HOUR),
        Rule(
            name="wish_offer",
            priority=50,
            kind="product",
            again=2 * DAY,
            channels=("push", "email", "sms"),
            every=True,
            wait=HOUR,
            steps=(0, 24 * HOUR, 72 * HOUR),
            offers=((1, 1, 80 * HOUR), (3, 1, 80 * HOUR)),
        ),
        Rule(
            name="wish_sets",
            priority=50,
            kind="product",
            again=0,
            channels=("email",),
            wait=HOUR,
            audience="wished",
            by_set=True,
        ),
        Rule(name="view_then_buy", priority=50, kind="product", again=DAY, channels=("email",)),
        Rule(name="two_clicks", priority=50, kind="person", again=0, channels=("email",)),
        Rule(name="quiz_left", priority=50, kind="person", again=0, channels=("email",), wait=2 * HOUR),
        Rule(name="two_queries", priority=50, kind="person", again=DAY, channels=("email",)),
        Rule(name="two_orders", priority=50, kind="product", again=DAY, channels=("email",)),
        Rule(name="spends", priority=50, kind="category", again=DAY, channels=("email",)),
        Rule(name="dear_checkout", priority=50, kind="checkout", again=0, channels=("email",), wait=HOUR),
        Rule(
            name="dear_series",
            priority=50,
            kind="checkout",
            again=2 * DAY,
            channels=("email",),
            wait=HOUR,
            steps=(0, 4 * HOUR, DAY),
        ),
        Rule(name="early_chats", priority=50, kind="person", again=0, channels=("email",), wait=2 * HOUR),
        Rule(
            name="order_series",
            priority=50,
            kind="order",
            again=NEVER,
            channels=("email",),
            steps=(0, 12 * HOUR, 3 * DAY),
        ),
        Rule(
            name="stage_series",
            priority=50,
            kind="person",
            again=0,
            channels=("email",),
            steps=(0, DAY),
            by_stage=True,
        ),
    )
}
"""Rules that do not ship, for what no shipped rule uses; they run only when they are named."""


def person_of(event: Event) -> str:
    """The person an event belongs to, '' when it names none."""
    return str(event.get("user_id") or event.get("anonymous_id") or "")


def products_of(event: Event) -> list[str]:
    """The distinct products of an event, in their order."""
    found: list[str] = []
    for item in event.get("items") or []:
        product = item.get("product_id")
        if product and product not in found:
            found.append(product)
    return found


def categories_of(event: Event) -> list[str]:
    """The distinct categories of an event's items that have a product, in their order."""
    found: list[str] = []
    for item in event.get("items") or []:
        category = item.get("category")
        if item.get("product_id") and category and category not in found:
            found.append(category)
    return found


def queries_of(event: Event) -> list[str]:
    """What an event searched for, trimmed, its first 512 characters; nothing but space is no query."""
    text = str(event.get("query") or "").strip()[:512].rstrip()
    return [text] if text else []


def cart_of(event: Event) -> str:
    """The cart an event is about; '' is the default cart."""
    return str(event.get("cart_id") or "")


def checkout_of(event: Event) -> str:
    """The checkout an event is about: its own id, else that of its cart."""
    return str(event.get("checkout_id") or cart_of(event))


def order_of(event: Event) -> str:
    """The order of a `purchase`: its own id, else that of the event."""
    return str(event.get("order_id") or event["id"])
