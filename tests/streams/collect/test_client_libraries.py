"""The real client libraries of Segment and RudderStack, given nothing but the collector's address."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from retarget.touchpoints import Touchpoint
from tests.support.client_libraries import KEY, LIBRARIES
from tests.support.collecting import Collector


@pytest.fixture(scope="module")
def guarded(collector: Callable[..., Collector]) -> Collector:
    """One that asks for the key."""
    return collector(f"collect.write_keys={KEY}")


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_a_library_sends_arrives(guarded: Collector, library: str) -> None:
    """A visit that ends with an order: every call once, each in the partition of its person."""
    LIBRARIES[library](guarded.url, f"u-{library}")
    events = [one for one in guarded.events() if isinstance(one, Touchpoint)]
    own = [one for one in events if one.user_id == f"u-{library}"]
    of_device = {one.anonymous_id for one in own if one.type == "identify"} - {None}
    before = [one for one in events if one.user_id is None and one.anonymous_id in of_device]
    kinds = {one.type for one in [*own, *before]}
    assert kinds >= {"identify", "view", "purchase"}
    identified = next(one for one in own if one.type == "identify")
    assert {"email": "p@shop.example", "first_name": "Pat"}.items() <= (identified.traits or {}).items()
    bought = next(one for one in own if one.type == "purchase")
    assert (bought.order_id, bought.value) == (f"o-u-{library}", 80)
    assert [(item.product_id, item.price, item.quantity) for item in bought.items] == [("tent", 80, 1)]
    if library in ("segment-python", "segment-node"):
        assert sum(one.type == "view" for one in own) == 20
    if library in ("segment-browser", "rudder-browser"):
        assert [one.type for one in before] == ["page", "view"]
    assert len({one.id for one in own}) == len(own)
