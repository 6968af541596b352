"""What an event changes in the journey whatever the rules are: identity, visit, products, carts, consent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from retarget.journeys import carts, codes, preferences, repeats, scores, spending, texts
from retarget.journeys.figures import Products
from retarget.journeys.model import Chat, Journey, Product, Session
from retarget.times import MINUTE
from retarget.touchpoints import NOT_CAUSED_BY_PERSON, Item, Touchpoint

SESSION_GAP: Final = 30 * MINUTE
# A person's orders, oldest dropped beyond this many; the count itself goes on.
ORDERS_KEPT: Final = 256
# What `priced` of a product says.
BY_CATALOGUE: Final = -1
# Of what is written upon one product.
TEXTS_KEPT: Final = 10
WRITING_KEPT: Final = 200
# The shop where the person was last, on the floor or at the till, as messages show it.
STORE: Final = "store_id"


class Change:
    """What one event did, as far as rules ask for it."""

    __slots__ = ("changes_cart", "ignored", "met", "new_order", "noted")

    def __init__(self) -> None:
        self.changes_cart = False
        self.new_order = False
        # Whether there is anything in the two below, which is rare; whoever looks at them clears all three.
        self.noted = False
        # Parts of a profile's preference or of a consent that cannot be read.
        self.ignored = 0
        # An anonymous id stands beside the person, of which something may come (`engine.identity`).
        self.met = False


def apply(journey: Journey, event: Touchpoint, change: Change) -> None:  # noqa: C901, PLR0912 - measured hot loop
    """Work one event into the journey; views, which most events are, need no further call."""
    time, kind = event.time, event.type
    if kind not in NOT_CAUSED_BY_PERSON:
        _visit(journey, time)
    if journey.user_id is None and event.user_id is not None:
        journey.user_id = event.user_id
    if event.anonymous_id is not None and event.anonymous_id != journey.anonymous_id:
        change.met = change.noted = True
    if event.geo is not None:
        texts.locate(journey, event.geo)
    products = journey.products
    for item in event.items:
        product_id = item.product_id
        if product_id:
            product = products.get(product_id)
            if product is None:
                product = products[product_id] = Product()
                if len(products) > repeats.CROWDED:
                    repeats.make_tidy(journey, time)
            if time >= product.seen:
                _look(product, item, time, event.currency)
            if kind == "view" and time > product.viewed:
                product.viewed = time
                if time > product.regarded:  # noqa: PLR1730 - quicker than max, at every view
                    product.regarded = time
    if isinstance(products, Products):
        products.touch(event.items)
    special = _SPECIAL.get(kind)
    if special is not None:
        special(journey, event, time, change)


def _visit(journey: Journey, time: int) -> None:
    session = journey.session
    if not journey.first:
        journey.first = time
    if time - session.last > SESSION_GAP or not session.last:
        session = journey.session = Session(time, time)
    session.events += 1
    if time > session.last:  # noqa: PLR1730 - quicker than max, at every event
        session.last = time
    if time > journey.last:  # noqa: PLR1730
        journey.last = time


@lru_cache(maxsize=4096)  # many products have the same category; it is kept in memory once
def _one(text: str) -> str:
    return text


def _look(product: Product, item: Item, time: int, currency: str | None) -> None:
    before, product.seen = product.seen, time
    if item.category is not None and item.category != product.category:
        product.category = _one(item.category)
    if item.price is not None:
        # The same price told once more, without its currency, is still in that.
        if currency != product.currency and (currency or item.price != product.price or product.priced):
            product.currency = currency and _one(currency)
        product.price, product.priced = item.price, 0
    elif product.offer is not None and product.offer.price is not None:
        product.price, product.priced = product.offer.price, BY_CATALOGUE
    elif not product.priced and product.price is not None:
        product.priced = before
    if item.name is not None:
        product.name = texts.short(item.name)
    if item.url is not None:
        product.url = texts.short(item.url)
    if item.image_url is not None:
        product.image_url = texts.short(item.image_url)


def _products(journey: Journey, event: Touchpoint) -> list[Product]:
    return [journey.products[item.product_id] for item in event.items if item.product_id]


def _write_upon(journey: Journey, event: Touchpoint) -> None:
    """What the person has had written upon products."""
    for item in event.items:
        if item.personalisation and item.product_id:
            told = list(item.personalisation.items())[:TEXTS_KEPT]
            kept = {name[:WRITING_KEPT]: text[:WRITING_KEPT] for name, text in told}
            journey.products[item.product_id].personalisation = kept


def _add(journey: Journey, event: Touchpoint, time: int, change: Change) -> None:
    _write_upon(journey, event)
    change.changes_cart = carts.put(journey, event, time)


def _remove(journey: Journey, event: Touchpoint, _time: int, change: Change) -> None:
    change.changes_cart = carts.take(journey, event)


def _cart(journey: Journey, event: Touchpoint, time: int, change: Change) -> None:
    _write_upon(journey, event)
    change.changes_cart = carts.replace(journey, event, time)


def _wishlist(journey: Journey, event: Touchpoint, time: int, _: Change) -> None:
    for product in _products(journey, event):
        product.wished = max(product.wished, time)
        product.regarded = max(product.regarded, time)


def _wishlist_remove(journey: Journey, event: Touchpoint, _time: int, _: Change) -> None:
    for product in _products(journey, event):
        product.wished = 0


def _purchase(journey: Journey, event: Touchpoint, time: int, change: Change) -> None:
    for product in _products(journey, event):
        product.bought = max(product.bought, time)
    _write_upon(journey, event)
    carts.settle(journey, event)
    spending.pay(journey, event, ORDERS_KEPT)
    if event.coupon:
        codes.redeem(journey, event.coupon, time)
    if event.store_id is not None:
        journey.traits[STORE] = event.store_id
    order = event.order_id or event.id or ""
    if order not in journey.orders:
        change.new_order = True
        journey.order_count += 1
        journey.orders[order] = journey.order_count
        if len(journey.orders) > ORDERS_KEPT:
            del journey.orders[next(iter(journey.orders))]


def _give_back(journey: Journey, event: Touchpoint, _time: int, _: Change) -> None:
    spending.give_back(journey, event, ORDERS_KEPT)


def _profile(journey: Journey, event: Touchpoint, time: int, change: Change) -> None:
    said = event.traits or {}
    if preferences.TRAIT in said:
        kept, change.ignored = preferences.heard(
            journey.traits.get(preferences.TRAIT), said[preferences.TRAIT]
        )
        change.noted = True
        said = said | {preferences.TRAIT: kept}
    if scores.TRAIT in said:  # only `score` events may write there
        said = {name: value for name, value in said.items() if name != scores.TRAIT}
        change.ignored += 1
        change.noted = True
    journey.traits.update(texts.storable(said))
    if len(texts.size(journey.traits)) > texts.TRAITS_BYTES:
        repeats.make_tidy(journey, time)
    if journey.bounced:
        renewed = {"email": "email", "push_token": "push", "push_tokens": "push"}
        back = {renewed[key] for key in event.traits or {} if key in renewed}
        journey.bounced = [channel for channel in journey.bounced if channel not in back]


def _identify(journey: Journey, event: Touchpoint, time: int, change: Change) -> None:
    _profile(journey, event, time, change)
    _meet(journey, event, time, change)


def _meet(_journey: Journey, event: Touchpoint, _time: int, change: Change) -> None:
    """Who says it in so many words is heard each time: a device may have come back from somebody else."""
    if event.anonymous_id is not None:
        change.met = change.noted = True


def _consent(_journey: Journey, _event: Touchpoint, _time: int, change: Change) -> None:
    """What it says hangs on settings (`engine.consenting`)."""
    change.noted = True


def _click(journey: Journey, _event: Touchpoint, _time: int, change: Change) -> None:
    """It may confirm what was asked (`engine.consenting`)."""
    if journey.asked:
        change.noted = True


def _store_visit(journey: Journey, event: Touchpoint, _time: int, _: Change) -> None:
    if event.store_id is not None:
        journey.traits[STORE] = event.store_id


def _chat(journey: Journey, event: Touchpoint, time: int, _: Change) -> None:
    told = Chat(time, event.session_id or event.id or "")
    journey.chat = told if journey.chat is None else max(journey.chat, told)


def _score(journey: Journey, event: Touchpoint, time: int, change: Change) -> None:
    change.ignored, change.noted = scores.hear(journey, event, time), True


def _bounce(journey: Journey, event: Touchpoint, _time: int, _: Change) -> None:
    channel = event.type.removesuffix("_bounce")
    if channel not in journey.bounced:
        journey.bounced.append(channel)


def _erase(journey: Journey, _event: Touchpoint, _time: int, _change: Change) -> None:
    """Forget everything but that it was forgotten; what `again: never` has let pass stays passed."""
    blank = Journey(
        person=journey.person,
        marks=journey.marks,
        erased=True,
        alarm=journey.alarm,
        erased_at=journey.erased_at,
    )
    for name in journey.__struct_fields__:
        setattr(journey, name, getattr(blank, name))


_SPECIAL: Final[Mapping[str, Callable[[Journey, Touchpoint, int, Change], None]]] = {
    "add": _add,
    "remove": _remove,
    "cart": _cart,
    "wishlist": _wishlist,
    "wishlist_remove": _wishlist_remove,
    "purchase": _purchase,
    "refund": _give_back,
    "cancel": _give_back,
    "identify": _identify,
    "alias": _meet,
    "profile": _profile,
    "score": _score,
    "store_visit": _store_visit,
    "chat": _chat,
    "consent": _consent,
    "unsubscribe": _consent,
    "email_spam": _consent,
    "email_click": _click,
    "email_bounce": _bounce,
    "push_bounce": _bounce,
    "erase": _erase,
}
