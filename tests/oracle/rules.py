"""What touches, ends and completes each rule, one plain function per question."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from .gates import zone_of
from .model import (
    DAY,
    HOUR,
    Event,
    Rule,
    cart_of,
    categories_of,
    checkout_of,
    order_of,
    products_of,
    queries_of,
)
from .person import Effect, Person
from .readings import Readings

NOT_CAUSED_BY_THE_PERSON = {
    "email_delivered",
    "email_open",
    "email_bounce",
    "email_spam",
    "push_received",
    "push_bounce",
    "profile",
    "score",
    "heartbeat",
    "price_change",
    "stock_change",
}


def touched_subjects(rule: str, person: Person, event: Event, effect: Effect) -> list[str]:
    """The subjects whose wait the event starts, or starts again."""
    kind = event["type"]
    subjects: list[str] = []
    if rule == "abandoned_cart" and effect.touched_cart:
        subjects = [cart_of(event)]
    checkouts = ("abandoned_checkout", "dear_checkout", "dear_series")
    if rule in checkouts and kind in ("checkout", "payment_failed"):
        subjects = [checkout_of(event)]
    if rule == "browse_abandonment" and kind == "view":
        subjects = [person.id]
    if rule == "search_abandonment" and kind == "search":
        subjects = queries_of(event)
    if kind == "chat" and (rule == "early_chats" or chat_opens(rule, person, event)):
        subjects = [person.id]
    if (rule, kind) == ("store_follow_up", "store_visit") or (rule == "quiz_left" and is_own(event, "quiz")):
        subjects = [person.id]
    if rule in ("wishlist_reminder", "wish_offer", "wish_sets") and kind == "wishlist":
        subjects = products_of(event)
    if rule == "review_request" and effect.new_order:
        subjects = [order_of(event)]
    if rule == "win_back" and kind not in NOT_CAUSED_BY_THE_PERSON:
        subjects = [person.id]
    return subjects


def chat_opens(rule: str, person: Person, event: Event) -> bool:
    """Whether a chat starts the rule's wait."""
    seen = seen_of_category(person, event["time"], "c1")
    return rule == "chat_follow_up" or (rule == "two_of_a_kind" and seen >= 2)


ENDED_BY_ANY = {
    "abandoned_checkout": ("purchase",),
    "browse_abandonment": ("add", "cart", "checkout", "purchase"),
    "chat_follow_up": ("purchase",),
    "dear_series": ("refund",),
    "search_abandonment": ("view", "add", "purchase"),
    "store_follow_up": ("purchase",),
}
"""The types of the person's events that end a rule's episodes, whatever they are about."""


ENDED_BY_ORDER = {"review_request": ("refund", "cancel", "review"), "order_series": ("refund", "cancel")}
"""The types of events that end a rule's episodes about the same order."""


def ends(rule: str, subject: str, event: Event, effect: Effect) -> bool:
    """Whether the event is an ending event of this subject."""
    kind = event["type"]
    if rule == "abandoned_cart":
        own = cart_of(event) == subject
        return kind == "purchase" or (own and (kind == "checkout" or effect.emptied_cart))
    if rule == "refill":
        return kind == "purchase" and subject in products_of(event)
    if rule in ("wishlist_reminder", "wish_offer", "wish_sets"):
        return kind in ("purchase", "wishlist_remove") and subject in products_of(event)
    if rule in ("price_drop", "back_in_stock", "low_stock"):
        return kind == "purchase" and subject in products_of(event)
    if rule in ENDED_BY_ORDER:
        return kind in ENDED_BY_ORDER[rule] and event.get("order_id") == subject
    own = rule == "quiz_left" and is_own(event, "click")
    return own or kind in ENDED_BY_ANY.get(rule, ()) or shuts(rule, effect)


def shuts(rule: str, effect: Effect) -> bool:
    """Whether a condition ends what is open of a rule, so that nothing opens either."""
    return rule == "early_chats" and effect.orders >= 3


def is_own(event: Event, name: str) -> bool:
    """Whether it is one of the shop's own events of that name, letter by letter."""
    return event["type"] == "custom" and event.get("name") == name


def dates_of(rule: str, person: Person, event: Event) -> dict[str, int | None]:
    """The subjects of a rule by date about which the event tells, and the dates, None when there is none."""
    if rule == "refill" and event["type"] == "purchase":
        return {product: refill_of(person, product) for product in products_of(event)}
    if rule == "before_the_day" and "day" in (event.get("traits") or {}):
        try:
            day = datetime.fromisoformat(str(event["traits"]["day"])).replace(tzinfo=UTC)
        except ValueError:
            return {person.id: None}
        return {person.id: int(day.timestamp() * 1000) - DAY}
    return {}


def next_turn(person: Person, after: int) -> tuple[int, int] | None:
    """The next year that has not had its turn, and its due: a day before the trait's, at midnight there."""
    told = str(person.traits.get("day"))
    try:
        first = datetime.fromisoformat(told)
    except ValueError:
        return None
    zone = ZoneInfo(zone_of(person.traits, person.events))
    for year in range(first.year, 2100):
        number = 28 if (first.month, first.day) == (2, 29) and year % 4 else first.day
        eve = datetime(year, first.month, number, tzinfo=zone) - timedelta(days=1)
        due = int(eve.timestamp() * 1000)
        if due > after and year > max(person.years_done, default=0):
            return year, due
    return None


def refill_of(person: Person, product: str) -> int | None:
    """The last order of a product and the median of the intervals between its orders; None under two."""
    orders: dict[str, int] = {}
    for event in person.events:
        if event["type"] == "purchase" and product in products_of(event):
            order = order_of(event)
            orders[order] = min(event["time"], orders.get(order, event["time"]))
    times = sorted(orders.values())
    intervals = sorted(times[n + 1] - times[n] for n in range(len(times) - 1))
    if len(intervals) < 2:
        return None
    middle = len(intervals) // 2
    if len(intervals) % 2:
        return times[-1] + intervals[middle]
    return times[-1] + (intervals[middle - 1] + intervals[middle]) // 2


def completed_subjects(rule: str, person: Person, event: Event, readings: Readings) -> list[str]:
    """The subjects of a count, event or sequence rule that the event, already applied, completes."""
    own = {"chat_then_add": completed_by_what_follows, "view_then_buy": completed_by_what_follows, **COUNTED}
    if rule in own:
        return own[rule](rule, person, event)
    if event["type"] == "view":
        return completed_by_view(rule, person, event, readings)
    if event["type"] == "purchase":
        return completed_by_purchase(rule, person, event)
    if rule == "social_thanks" and event["type"] == "social":
        return [person.id] if sentiment_of(event) > 0 else []
    if rule == "service_care" and event["type"] in ("social", "review", "chat"):
        return [person.id] if sentiment_of(event) < 0 else []
    return []


def completed_by_what_follows(rule: str, person: Person, event: Event) -> list[str]:
    """The subjects whose sequence the event completes."""
    if rule == "chat_then_add" and event["type"] == "add":
        chats, purchases = of_type(person.events, "chat"), of_type(person.events, "purchase")
        return [person.id] if follows(person, event, chats, purchases, 2 * HOUR) else []
    if rule == "view_then_buy" and event["type"] == "purchase":
        return [p for p in products_of(event) if viewed_before(person, event, p)]
    return []


def completed_by_view(rule: str, person: Person, event: Event, readings: Readings) -> list[str]:
    """The products or categories that were looked at often enough."""
    if rule == "repeated_view":
        return [p for p in products_of(event) if viewed_often(person, event, p)]
    if rule == "choice_overload":
        return [c for c in categories_of(event) if overloaded(person, event, c, readings)]
    if rule == "price_hesitation":
        return [p for p in products_of(event) if hesitates(person, event, p)]
    if rule == "brochure":
        return [p for p in products_of(event) if deserves_print(person, event, p)]
    return []


def completed_by_purchase(rule: str, person: Person, event: Event) -> list[str]:
    """The order, when its number is one that a rule waits for."""
    wanted = {"first_purchase": (1,), "loyal_customer": (5, 10, 20)}.get(rule, ())
    order = order_of(event)
    return [order] if person.orders.index(order) + 1 in wanted else []


def two_clicks(_: str, person: Person, event: Event) -> list[str]:
    """Two of the shop's own events named `click`, letter by letter, within a week."""
    clicks = [one for one in within(person, event["time"], 7 * DAY) if is_own(one, "click")]
    return [person.id] if is_own(event, "click") and len(clicks) >= 2 else []


def two_queries(_: str, person: Person, event: Event) -> list[str]:
    """Searches for two different things within two days."""
    if event["type"] != "search":
        return []
    searches = of_type(within(person, event["time"], 2 * DAY), "search")
    return [person.id] if len({query for one in searches for query in queries_of(one)}) >= 2 else []


def two_orders(_: str, person: Person, event: Event) -> list[str]:
    """The products that two different orders of 30 days hold, or give back."""
    found = []
    for product in products_of(event) if event["type"] in ("purchase", "refund") else ():
        orders = set()
        for one in of_type(within(person, event["time"], 30 * DAY), "purchase", "refund"):
            told = one.get("order_id") or (one["id"] if one["type"] == "purchase" else None)
            if told and product in products_of(one):
                orders.add(told)
        found += [product] if len(orders) >= 2 else []
    return found


def spends(_: str, person: Person, event: Event) -> list[str]:
    """The categories of which a purchase makes it 30 in worth, or three pieces, in a week."""
    found = []
    for category in categories_of(event) if event["type"] == "purchase" else ():
        worth = pieces = 0.0
        for one in of_type(within(person, event["time"], 7 * DAY), "purchase"):
            for item in one.get("items") or []:
                if item.get("product_id") and item.get("category") == category:
                    quantity = 1 if item.get("quantity") is None else max(item["quantity"], 0)
                    pieces += quantity
                    worth += quantity * (item.get("price") or 0) if item.get("told", True) else 0
        found += [category] if worth >= 30 or pieces >= 3 else []
    return found


def every_order(_: str, __: Person, event: Event) -> list[str]:
    """The order of any purchase."""
    return [order_of(event)] if event["type"] == "purchase" else []


COUNTED = {
    "order_series": every_order,
    "two_clicks": two_clicks,
    "two_queries": two_queries,
    "two_orders": two_orders,
    "spends": spends,
}


def is_dear(person: Person, checkout: str, now: int) -> bool:
    """Whether the latest word of what a checkout is worth, within 30 days, is 100 or more."""
    told = [
        one
        for one in of_type(within(person, now, 30 * DAY), "checkout", "payment_failed")
        if checkout_of(one) == checkout and one.get("value")
    ]
    latest = max((one["time"] for one in told), default=0)
    return bool(told) and [one for one in told if one["time"] == latest][-1]["value"] >= 100


def seen_of_category(person: Person, now: int, category: str) -> int:
    """How many different products of a category the person viewed in the last two days."""
    found = set()
    for event in within(person, now, 2 * DAY):
        for item in event.get("items") or []:
            if event["type"] == "view" and item.get("product_id") and item.get("category") == category:
                found.add(item["product_id"])
    return len(found)


def within(person: Person, end: int, window: int) -> list[Event]:
    """The person's events in `(end - window, end]`."""
    return [event for event in person.events if end - window < event["time"] <= end]


def viewed_often(person: Person, event: Event, product: str) -> bool:
    """Three views in 24 h, in no cart, not bought in 30 d, nor since when the view is late."""
    now = event["time"]
    views = [
        other
        for other in within(person, now, 24 * HOUR)
        if other["type"] == "view" and product in products_of(other)
    ]
    bought = [
        other
        for other in person.events
        if other["time"] > now - 30 * DAY
        if other["type"] == "purchase" and product in products_of(other)
    ]
    return len(views) >= 3 and not bought and not person.in_a_cart(product)


def of_type(events: list[Event], *types: str) -> list[Event]:
    """The events of some types."""
    return [event for event in events if event["type"] in types]


def viewed_before(person: Person, event: Event, product: str) -> bool:
    """A view of the product in the day before, and no `add` or `remove` of it between."""
    own = [other for other in person.events if product in products_of(other)]
    return follows(person, event, of_type(own, "view"), of_type(own, "add", "remove"), DAY)


def follows(person: Person, event: Event, firsts: list[Event], betweens: list[Event], window: int) -> bool:
    """Whether the event follows one of `firsts` within the window, with none of `betweens` between them.

    In the order of time; of equal times in the order in which they were applied.
    """
    order = sorted(person.events, key=lambda one: int(one["time"]))
    place = {id(one): number for number, one in enumerate(order)}
    until = max(place[id(one)] for one in order if one["time"] <= event["time"])
    for first in firsts:
        if event["time"] - window < first["time"] and place[id(first)] <= until:
            between = [one for one in betweens if place[id(first)] < place[id(one)] <= until]
            if not between:
                return True
    return False


def views_of(person: Person, end: int, window: int, product: str) -> list[Event]:
    """The person's views of a product in `(end - window, end]`."""
    found = [event for event in within(person, end, window) if event["type"] == "view"]
    return [event for event in found if product in products_of(event)]


def days_of(events: list[Event]) -> int:
    """How many different days of UTC the events lie on."""
    return len({datetime.fromtimestamp(event["time"] / 1000, tz=UTC).date() for event in events})


def last_seen_price(person: Person, product: str) -> float | None:
    """The price when the product was last seen; a sight without a price leaves the one before."""
    price = last_seen(person, product, "price")
    return None if price is None else float(price)


def last_seen(person: Person, product: str, part: str) -> Any:  # noqa: ANN401 - JSON
    """What a product looked like when it was last seen; a sight without that leaves the one before."""
    latest, found = -1, None
    for event in person.events:
        for item in event.get("items") or []:
            if item.get("product_id") == product and event["time"] >= latest:
                latest = event["time"]
                found = item[part] if item.get(part) is not None else found
    return found


def audiences_of(rule: Rule, person: Person, product: str) -> list[str]:
    """The audiences that a step is about: the rule's, or that of each of its sets with the product."""
    if not rule.by_set:
        return [rule.audience] if rule.audience else []
    price = last_seen_price(person, product)
    sets = {
        "c1": last_seen(person, product, "category") == "c1",
        "dear": price is not None and price >= 500,
        "cheap": price is not None and price < 20,
    }
    return [f"{rule.audience}-{name}" for name, belongs in sets.items() if belongs]


def median_price(person: Person, now: int) -> float | None:
    """The median over the products viewed in the last 30 days, or since; at least three."""
    views = [event for event in person.events if event["type"] == "view" and event["time"] > now - 30 * DAY]
    products = {product for event in views for product in products_of(event)}
    prices = sorted(price for p in products if (price := last_seen_price(person, p)) is not None)
    if len(prices) < 3:
        return None
    middle = len(prices) // 2
    return prices[middle] if len(prices) % 2 else (prices[middle - 1] + prices[middle]) / 2


def hesitates(person: Person, event: Event, product: str) -> bool:
    """Viewed on three days in 14 d, dearer than the median, never bought."""
    if days_of(views_of(person, event["time"], 14 * DAY, product)) < 3:
        return False
    if any(e["type"] == "purchase" and product in products_of(e) for e in person.events):
        return False
    price, middle = last_seen_price(person, product), median_price(person, event["time"])
    return price is not None and middle is not None and price > middle


def deserves_print(person: Person, event: Event, product: str) -> bool:
    """Three views on two days in 14 d, 500 or dearer, a margin above the 2 of a print, address known."""
    views = views_of(person, event["time"], 14 * DAY, product)
    if len(views) < 3 or days_of(views) < 2:
        return False
    price = last_seen_price(person, product)
    lives_at = person.traits.get("address") or person.traits.get("postal_address")
    # As it was shown, which is with the margin that the shop expected by then.
    shown = next(one for one in person.events[::-1] if one["id"] == event["id"])
    margins = [item.get("margin") for item in shown["items"] if item.get("product_id") == product]
    earns = any(margin is not None and margin > 2 for margin in margins)
    return price is not None and price >= 500 and earns and bool(lives_at)


def sentiment_of(event: Event) -> float:
    """Above 0 for positive, under 0 for negative, 0 for all that is neither."""
    said = event.get("sentiment")
    words = {"positive": 1.0, "negative": -1.0}
    if isinstance(said, str):
        text = said.strip().lower()
        try:
            return words[text] if text in words else float(text)
        except ValueError:
            return 0.0
    return float(said or 0)


def overloaded(person: Person, event: Event, category: str, readings: Readings) -> bool:
    """Four distinct products of the category viewed in 48 h, none added or bought."""
    seen: set[str] = set()
    for other in within(person, event["time"], 48 * HOUR):
        if other["type"] in ("add", "purchase") and category in categories_of(other):
            if not readings.choice_overload_starts_afresh:
                return False
            seen.clear()
        if other["type"] == "view":
            for item in other.get("items") or []:
                if item.get("product_id") and item.get("category") == category:
                    seen.add(item["product_id"])
    return len(seen) >= 4


def stage_of(person: Person, now: int, readings: Readings) -> str:
    """The person's ad audience at `now`, '' when nothing is left."""
    recent = within(person, now, 14 * DAY)
    touched = {product for event in recent for product in products_of(event)}
    looked_at = person.events if readings.stage_of_touched_products else recent
    bought = {p for event in looked_at if event["type"] == "purchase" for p in products_of(event)}
    viewed = {p for event in looked_at if event["type"] == "view" for p in products_of(event)}
    carted = {
        product
        for cart_id, cart in person.carts.items()
        for product in cart
        if readings.stage_of_touched_products or now - person.put_in_at[cart_id, product] < 14 * DAY
    }
    wished = {
        product
        for product, time in person.wishes.items()
        if readings.stage_of_touched_products or now - time < 14 * DAY
    }
    if bought & touched:
        return "bought"
    if carted & touched:
        return "carted"
    if (viewed | wished) & touched:
        return "viewed"
    return ""


def value_of(rule: Rule, subject: str, person: Person) -> float:
    """What a message of the rule is expected to be worth now; 0 where that is unknown or not said."""
    if rule.value == "cart.size":
        return len(person.carts.get(subject, {}))
    if rule.value == "product.price":
        return last_seen_price(person, subject) or 0
    if rule.value == "person.purchases":
        return len(person.orders)
    return 0
