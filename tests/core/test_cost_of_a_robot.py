"""However much a person was made to do, their next event costs no more: in steps of Python, not in time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Final

import pytest

from tests.core.shop import Shop, a_policy, shipped
from tests.core.test_bounds import event
from tests.factories import Event

Make = Callable[[int], Event]
MOST: Final = 1.5


def _mixed(n: int) -> Event:
    """Looks at a product, puts the one before into the cart, searches, wishes, in turn."""
    kinds: tuple[Make, ...] = (
        lambda n: event(n, "view", f"p{n}"),
        lambda n: event(n, "add", f"p{n - 1}"),
        lambda n: event(n, "search", query=f"query {n}"),
        lambda n: event(n, "wishlist", f"p{n}"),
    )
    return kinds[n % len(kinds)](n)


# Of what opens an episode each time, a person of 500 events is not yet at the bounds; one of 2,000 is.
BOTS: Final[dict[str, tuple[Make, int, int, int]]] = {
    "products": (lambda n: event(n, "view", f"p{n}"), 500, 10_000, 1_000),
    "one product": (lambda n: event(n, "view", "p"), 500, 10_000, 1_000),
    "searches": (lambda n: event(n, "search", query=f"query {n}"), 500, 10_000, 1_000),
    "one cart": (lambda n: event(n, "add", f"p{n}"), 500, 10_000, 1_000),
    "of everything": (_mixed, 500, 10_000, 1_000),
    "carts": (lambda n: event(n, "add", "p", cart_id=f"c{n}"), 2_000, 4_000, 50),
    "orders": (lambda n: event(n, "purchase", f"p{n}", order_id=f"o{n}"), 2_000, 4_000, 50),
}


@pytest.mark.parametrize("bot", BOTS)
def test_an_event_of_a_robot_costs_what_it_cost_long_ago(bot: str) -> None:
    """The last events of very many, which come to look at the bounds too, against the last of few."""
    make, few, many, last = BOTS[bot]
    before = _steps_of_the_last(min(last, few // 2), [make(n) for n in range(few)])
    after = _steps_of_the_last(last, [make(n) for n in range(many)])
    assert after <= MOST * before, f"{after:.0f} steps an event after {many:,}, {before:.0f} after {few:,}"


def _steps_of_the_last(last: int, events: Sequence[Event]) -> float:
    """How many steps of Python each of the last events takes, those before it done."""
    shop = Shop(shipped(), a_policy())
    for start in range(0, len(events) - last, 500):
        shop.read(*events[start : min(start + 500, len(events) - last)])
    return _steps(lambda: shop.read(*events[-last:])) / last


def _steps(work: Callable[[], object]) -> int:
    """The instructions of Python's machine that this executes; a tracer that was there before is put back."""
    done = 0

    def step(_frame: FrameType, what: str, _: Any) -> Callable[..., Any]:  # noqa: ANN401 - Python's own form
        nonlocal done
        done += what == "opcode"
        return step

    def enter(frame: FrameType, _what: str, _: Any) -> Callable[..., Any]:  # noqa: ANN401
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return step

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        work()
    finally:
        sys.settrace(before)
    return done
