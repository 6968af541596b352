"""Carts: what a person has put in, over any number of carts, by deltas and by snapshots (spec 3.4)."""

from __future__ import annotations

from retarget.journeys.figures import forget_carts
from retarget.journeys.model import CartLine, Journey, Product
from retarget.touchpoints import Item, Touchpoint


def put(journey: Journey, event: Touchpoint, time: int) -> bool:
    """Apply an `add`; whether anything was put in."""
    lines = journey.carts.get(event.cart_id or "", {})
    changed = False
    for item in event.items:
        changed |= _put_line(journey, lines, item, time)
    if changed:
        journey.carts[event.cart_id or ""] = lines
        forget_carts(journey)
    return changed


def _put_line(journey: Journey, lines: dict[str, CartLine], item: Item, time: int) -> bool:
    quantity = 1.0 if item.quantity is None else item.quantity
    product_id = item.product_id
    if not product_id or quantity <= 0:
        return False
    product = journey.products.setdefault(product_id, Product())
    # An add that arrives after the later purchase must not put back what has been bought.
    if time < product.bought:
        return False
    line = lines.get(product_id)
    if line is None:
        lines[product_id] = CartLine(quantity, item.price, time)
    else:
        line.quantity += quantity
        line.price = line.price if item.price is None else item.price
        line.since = max(line.since, time)
    product.carted = max(product.carted, time)
    product.regarded = max(product.regarded, time)
    return True


def take(journey: Journey, event: Touchpoint) -> bool:
    """Apply a `remove`; whether anything was taken out."""
    cart_id = event.cart_id or ""
    lines = journey.carts.get(cart_id)
    if not lines:
        return False
    changed = False
    for item in event.items:
        line = lines.get(item.product_id or "")
        if line is None or (item.quantity is not None and item.quantity <= 0):
            continue
        changed = True
        if item.quantity is None or item.quantity >= line.quantity:
            drop(journey, cart_id, item.product_id or "")
        else:
            line.quantity -= item.quantity
            forget_carts(journey)
    return changed


def replace(journey: Journey, event: Touchpoint, time: int) -> bool:
    """Apply a `cart` snapshot; always a change, as the person touched the cart."""
    cart_id = event.cart_id or ""
    for product_id in list(journey.carts.get(cart_id, ())):
        drop(journey, cart_id, product_id)
    put(journey, event, time)
    return True


def settle(journey: Journey, event: Touchpoint) -> None:
    """Apply a `purchase`: its products leave every cart of the person; without items nothing does."""
    for item in event.items:
        for cart_id in list(journey.carts):
            if item.product_id and item.product_id in journey.carts[cart_id]:
                drop(journey, cart_id, item.product_id)


def drop(journey: Journey, cart_id: str, product_id: str) -> None:
    """Take one line out of a cart that holds it."""
    lines = journey.carts[cart_id]
    del lines[product_id]
    if not lines:
        del journey.carts[cart_id]
    forget_carts(journey)
    product = journey.products.get(product_id)
    if product is not None:
        others = (other[product_id].since for other in journey.carts.values() if product_id in other)
        product.carted = max(others, default=0)
