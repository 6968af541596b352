"""From the cart to the order: adding, removing, checking out, paying or not, and what follows an order."""

from __future__ import annotations

from typing import Final

from retarget.times import DAY, HOUR, SECOND
from retarget.touchpoints import Item, Touchpoint
from streams.shop import account
from streams.shop.catalogue import CURRENCY, Product
from streams.shop.draw import around, chance
from streams.shop.funnel import FUNNEL
from streams.shop.presence import Presence
from streams.shop.stockroom import take
from streams.shop.timeline import Aside, Outcome, Process

_SECOND_PIECE: Final = 0.08
_NEWSLETTER_AT_CHECKOUT: Final = 0.4
_COUPON: Final = "WELCOME10"


def add(guest: Presence, product: Product) -> Process:
    """The product goes into the cart."""
    guest.put(product.product_id)
    guest.fresh_cart = True
    item = guest.shelf.item(product, 1)
    yield guest.sign(
        Touchpoint(type="add", items=[item], cart_id=guest.cart_id, value=item.price, currency=CURRENCY)
    )
    yield around(guest.rng, 5 * SECOND)


def leave_or_pay(guest: Presence) -> Process:
    """What becomes of the cart at the end of a visit; most carts are left where they are."""
    if not guest.cart:
        return
    rng, fresh = guest.rng, guest.fresh_cart
    guest.fresh_cart = False
    share = FUNNEL.to_checkout if fresh or guest.wants_to_pay else FUNNEL.to_checkout_later
    goes = chance(rng, share)
    if not goes and fresh and chance(rng, share):
        return
    yield from _look_through(guest, FUNNEL.remove if fresh else FUNNEL.clear_leftovers)
    if goes and guest.cart:
        yield from check_out(guest, guest.lines(), guest.cart_id)


def _look_through(guest: Presence, share: float) -> Process:
    """The cart page, where each product may be taken out again."""
    rng = guest.rng
    yield around(rng, FUNNEL.to_cart_page)
    yield guest.sign(Touchpoint(type="cart_view", items=guest.lines(), cart_id=guest.cart_id))
    for line in guest.lines():
        if line.product_id is not None and chance(rng, share):
            yield around(rng, 6 * SECOND)
            del guest.cart[line.product_id]
            yield guest.sign(Touchpoint(type="remove", items=[line], cart_id=guest.cart_id))


def buy_now(guest: Presence, product: Product) -> Process:
    """Straight to the checkout with one product, past the cart."""
    pieces = 2 if chance(guest.rng, _SECOND_PIECE) else 1
    yield from check_out(guest, [guest.shelf.item(product, pieces)], None)


def check_out(guest: Presence, lines: list[Item], cart_id: str | None) -> Process:
    """The checkout, and the order if it comes to one."""
    rng = guest.rng
    yield around(rng, FUNNEL.to_checkout_page)
    if guest.person.user_id is not None and not guest.known:
        yield from account.sign_in(guest)
    checkout = Touchpoint(
        cart_id=cart_id,
        checkout_id=f"K-{rng.getrandbits(32):08x}",
        items=lines,
        value=round(sum((line.price or 0) * (line.quantity or 1) for line in lines), 2),
        currency=CURRENCY,
        coupon=_COUPON if chance(rng, FUNNEL.coupon) else None,
    )
    yield guest.sign(_like(checkout, "checkout"))
    yield from _fill_in(guest, checkout)
    guest.wants_to_pay = False
    if (yield from _pays(guest, checkout)):
        yield from _order(guest, checkout)
    elif cart_id and chance(rng, FUNNEL.comes_back_to_pay):
        guest.wants_to_pay = True


def _like(checkout: Touchpoint, kind: str) -> Touchpoint:
    return Touchpoint(
        type=kind,
        cart_id=checkout.cart_id,
        checkout_id=checkout.checkout_id,
        items=checkout.items,
        value=checkout.value,
        currency=checkout.currency,
        coupon=checkout.coupon,
    )


def _fill_in(guest: Presence, checkout: Touchpoint) -> Process:
    """The forms: who pays, where it goes; people without an account leave a mail address."""
    rng = guest.rng
    if checkout.coupon:
        yield around(rng, 15 * SECOND)
        yield guest.sign(Touchpoint(type="coupon", coupon=checkout.coupon, checkout_id=checkout.checkout_id))
    yield around(rng, FUNNEL.form)
    traits = dict(guest.person.traits) | {"postal_address": dict(guest.person.address)}
    yield from account.tell(guest, traits)
    if guest.person.user_id is None and "email" not in guest.consents:
        guest.consents["email"] = chance(rng, _NEWSLETTER_AT_CHECKOUT)
        state = "granted" if guest.consents["email"] else "denied"
        said = {"purpose": "marketing", "channel": "email", "state": state, "basis": "checkout"}
        yield guest.sign(Touchpoint(type="consent", consent=said))


def _pays(guest: Presence, checkout: Touchpoint) -> Outcome:
    rng = guest.rng
    if chance(rng, FUNNEL.payment_fails):
        yield guest.sign(_like(checkout, "payment_failed"))
        yield around(rng, 40 * SECOND)
        return chance(rng, FUNNEL.tries_again)
    return chance(rng, FUNNEL.pays)


def _order(guest: Presence, checkout: Touchpoint) -> Process:
    """The order, the stock it takes, and what may come of it in days to come."""
    rng = guest.rng
    order = _like(checkout, "purchase")
    order.order_id = f"O-{rng.getrandbits(40):010x}"
    bought = {line.product_id: line for line in checkout.items if line.product_id}
    for product_id in bought:
        guest.cart.pop(product_id, None)
    guest.wished = [product for product in guest.wished if product.product_id not in bought]
    guest.last_order = frozenset(bought)
    yield guest.sign(order)
    for product_id, line in bought.items():
        yield from take(guest.shelf, rng, product_id, int(line.quantity or 1))
    yield Aside(_aftermath(guest, order))


def _aftermath(guest: Presence, order: Touchpoint) -> Process:
    """A review, a refund or a cancellation, each at its time; mostly nothing."""
    rng = guest.rng
    if chance(rng, FUNNEL.cancel):
        yield around(rng, 5 * HOUR)
        yield _about(guest, order, "cancel")
    elif chance(rng, FUNNEL.refund):
        yield around(rng, 6 * DAY)
        yield _about(guest, order, "refund")
    elif chance(rng, FUNNEL.review):
        yield around(rng, 9 * DAY)
        review = _about(guest, order, "review")
        review.sentiment = rng.choice(("positive", "positive", "positive", "neutral", "negative"))
        yield review


def _about(guest: Presence, order: Touchpoint, kind: str) -> Touchpoint:
    event = guest.sign(Touchpoint(type=kind, order_id=order.order_id, items=order.items, currency=CURRENCY))
    event.session_id = None
    return event
