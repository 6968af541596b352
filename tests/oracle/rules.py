"""What touches, ends and completes each rule, one plain function per question."""

from .model import (
    DAY,
    HOUR,
    Event,
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
    if rule == "abandoned_checkout" and kind in ("checkout", "payment_failed"):
        subjects = [checkout_of(event)]
    if rule == "browse_abandonment" and kind == "view":
        subjects = [person.id]
    if rule == "search_abandonment" and kind == "search":
        subjects = queries_of(event)
    if rule == "wishlist_reminder" and kind == "wishlist":
        subjects = products_of(event)
    if rule == "review_request" and effect.new_order:
        subjects = [order_of(event)]
    if rule == "win_back" and kind not in NOT_CAUSED_BY_THE_PERSON:
        subjects = [person.id]
    return subjects


def ends(rule: str, subject: str, event: Event, effect: Effect) -> bool:
    """Whether the event is an ending event of this subject."""
    kind = event["type"]
    if rule == "abandoned_cart":
        own = cart_of(event) == subject
        return kind == "purchase" or (own and (kind == "checkout" or effect.emptied_cart))
    if rule == "abandoned_checkout":
        return bool(kind == "purchase")
    if rule == "browse_abandonment":
        return kind in ("add", "cart", "checkout", "purchase")
    if rule == "search_abandonment":
        return kind in ("view", "add", "purchase")
    if rule == "wishlist_reminder":
        return kind in ("purchase", "wishlist_remove") and subject in products_of(event)
    if rule == "review_request":
        return kind in ("refund", "cancel", "review") and event.get("order_id") == subject
    return False


def completed_subjects(rule: str, person: Person, event: Event, readings: Readings) -> list[str]:
    """The subjects of a count or event rule that the event, already applied, completes."""
    if rule == "repeated_view" and event["type"] == "view":
        return [p for p in products_of(event) if viewed_often(person, event, p)]
    if rule == "choice_overload" and event["type"] == "view":
        return [c for c in categories_of(event) if overloaded(person, event, c, readings)]
    if rule == "first_purchase" and event["type"] == "purchase":
        order = order_of(event)
        return [order] if person.orders[0] == order else []
    return []


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
