"""What a person has spent: purchases less what was given back, by currency.

Each order is known by itself as long as it is kept, so that a refund finds it, in whichever order the two
come, and an order that two journeys know counts once after a merge. Amounts are whole thousandths, whose sums
do not depend on the order of adding.
"""

from __future__ import annotations

from typing import Final

from retarget.journeys.model import Journey, Paid
from retarget.sums import total
from retarget.touchpoints import Touchpoint

# The code of ISO 4217 for no currency.
UNKNOWN: Final = "XXX"
_PARTS: Final = 1000
_MOST: Final = 10**12
_CODE: Final = 3
_CURRENCIES: Final = 20
_LIMIT: Final = 10**18


def pay(journey: Journey, event: Touchpoint, most: int) -> None:
    """Note what an order costs; of several `purchase` events of it the first that says so counts."""
    amount = _amount(event)
    if amount is None:
        return
    paid = _paid(journey, event.order_id or event.id or "", most)
    if not paid.gross:
        paid.gross, paid.currency = amount, code(event.currency)


def give_back(journey: Journey, event: Touchpoint, most: int) -> None:
    """Note a `refund` or `cancel`: of so much, or of the whole order where no amount is told."""
    amount = _amount(event)
    if event.order_id is not None:
        paid = _paid(journey, event.order_id, most)
        paid.whole = paid.whole or amount is None
        paid.back = min(paid.back + (amount or 0), _MOST * _PARTS)
    elif amount is not None:
        _add(journey, code(event.currency), -amount)


def lifetime(journey: Journey) -> dict[str, float]:
    """What the person has spent and not got back, by currency in alphabetical order, in units of it."""
    sums = dict(journey.spent)
    for paid in journey.paid.values():
        if paid.currency:
            sums[paid.currency] = sums.get(paid.currency, 0) + paid.net
    return {currency: max(sums[currency], 0) / _PARTS for currency in sorted(sums)}


def unite(journey: Journey, other: Journey, most: int) -> None:
    """Put what another journey knows into this one; an order that both know counts once."""
    for order, theirs in other.paid.items():
        mine = journey.paid.get(order)
        journey.paid[order] = theirs if mine is None else _one(mine, theirs)
    for currency, amount in other.spent.items():
        _add(journey, currency, amount)
    _keep(journey, most)


def _one(mine: Paid, theirs: Paid) -> Paid:
    more = max(mine, theirs, key=lambda paid: (paid.gross, paid.currency))
    return Paid(more.currency, more.gross, max(mine.back, theirs.back), mine.whole or theirs.whole)


def _paid(journey: Journey, order: str, most: int) -> Paid:
    paid = journey.paid.get(order)
    if paid is None:
        paid = journey.paid[order] = Paid()
        _keep(journey, most)
    return paid


def _keep(journey: Journey, most: int) -> None:
    """Beyond so many the oldest orders become a part of the sum."""
    for order in list(journey.paid)[: max(len(journey.paid) - most, 0)]:
        gone = journey.paid.pop(order)
        if gone.currency:
            _add(journey, gone.currency, gone.net)


def _add(journey: Journey, currency: str, amount: int) -> None:
    """Nobody spends so much, or in so many currencies, but a producer gone wrong."""
    spent = journey.spent
    if currency not in spent and len(spent) >= _CURRENCIES:
        currency = UNKNOWN
    spent[currency] = max(min(spent.get(currency, 0) + amount, _LIMIT), -_LIMIT)


def _amount(event: Touchpoint) -> int | None:
    """What the event is worth, in thousandths; None when neither it nor all of its items say so."""
    worth = event.value
    if worth is None and event.items and all(item.price is not None for item in event.items):
        worth = total([(item.price or 0) * _pieces(item.quantity) for item in event.items])
    return round(worth * _PARTS) if worth is not None and 0 <= worth < _MOST else None


def _pieces(quantity: float | None) -> float:
    return 1 if quantity is None else max(quantity, 0)


def code(currency: str | None) -> str:
    """The code of a currency as a producer writes it; that of none where it cannot be one."""
    found = (currency or "").strip().upper()
    return found if len(found) == _CODE and found.isascii() and found.isalpha() else UNKNOWN
