"""How often people do what: the numbers of the model, all in one place.

What they add up to is measured by the tests against public data; see `docs/simulator.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from retarget.times import DAY, HOUR, MINUTE, SECOND


@dataclass(frozen=True, kw_only=True, slots=True)
class Funnel:
    """Shares are of the occasions named; times are medians in ms."""

    # a visit
    visits_per_day: float = 4.2  # wanted; nights make 1.6 of them
    passers_by: float = 0.25  # a day, for each regular
    only_one_view: float = 0.36
    views_beyond_two: float = 3.6
    dwell: int = 38 * SECOND
    # at a view
    seen_again: float = 0.2
    off_interest: float = 0.08
    to_cart: float = 0.055
    to_cart_at_opening: float = 0.13
    to_wish_list: float = 0.024
    buy_now: float = 0.009
    search_first: float = 0.18
    list_first: float = 0.3
    share: float = 0.004
    # with a cart at the end of a visit
    to_checkout: float = 0.38
    remove: float = 0.14
    clear_leftovers: float = 0.16
    to_checkout_later: float = 0.04
    to_cart_page: int = 25 * SECOND
    to_checkout_page: int = 35 * SECOND
    form: int = 100 * SECOND
    # at the checkout
    pays: float = 0.4
    payment_fails: float = 0.1
    tries_again: float = 0.5
    comes_back_to_pay: float = 0.18
    coupon: float = 0.1
    # after an order
    review: float = 0.25
    refund: float = 0.05
    cancel: float = 0.02
    # once in a while, per visit
    chat: float = 0.012
    social: float = 0.008
    store_visit: float = 0.012
    changes_mind: float = 0.006
    unsubscribes: float = 0.003
    wants_less: float = 0.003
    asks_to_be_erased: float = 0.0003
    takes_off_wish_list: float = 0.05
    lapses: float = 0.006
    returns: float = 0.5
    registers: float = 0.04
    # the shop itself
    price_change_every: int = 40 * MINUTE
    restock_after: int = 2 * DAY
    bot_visit_every: int = 4 * HOUR


FUNNEL: Final = Funnel()
