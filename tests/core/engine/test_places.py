"""Where the person was: the shop last visited, on the floor or at the till, and the place."""

from __future__ import annotations

from typing import Any

from tests.core.shop import Shop, a_rule
from tests.factories import an_event

NOON = 1_772_362_800_000


def context(**fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """What a message shows after two events, the later one of these fields."""
    rule = a_rule(
        rule="r", subject="person", event="page", again="never", purpose="service",
        steps=[{"channels": ["service"], "template": "t"}],
    )  # fmt: skip
    first = an_event("store_visit", at=NOON, store_id="graz")
    events = [first, an_event(fields.pop("type"), at=NOON + 1, **fields), an_event("page", at=NOON + 2)]
    [sent] = Shop([rule]).read(*events).end().sent()
    found: dict[str, Any] = sent["context"]
    return found


def test_the_shop_and_the_place() -> None:
    """Of a visit or a purchase at the till; of the place what a person would call it."""
    assert context(type="view")["store"] == "graz"
    assert context(type="purchase", store_id="wien")["store"] == "wien"
    told = context(type="page", geo={"city": "Wien", "lat": 48.2, "lon": 16.4, "ip": "192.0.2.1"})
    assert told["location"] == {"city": "Wien", "lat": 48.2, "lon": 16.4}
    assert "location" not in context(type="view")
