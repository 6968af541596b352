"""Where the person was: the shop last visited, on the floor or at the till, and the place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retarget.engine.policy import Policy
from retarget.engine.shops import Shop as Store
from retarget.engine.shops import distance_km, nearest
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import an_event

NOON = 1_772_362_800_000


def context(policy: Policy | None = None, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """What a message shows after two events, the later one of these fields."""
    rule = a_rule(
        rule="r", subject="person", event="page", again="never", purpose="service",
        steps=[{"channels": ["service"], "template": "t"}],
    )  # fmt: skip
    first = an_event("store_visit", at=NOON, store_id="graz")
    events = [first, an_event(fields.pop("type"), at=NOON + 1, **fields), an_event("page", at=NOON + 2)]
    [sent] = Shop([rule], policy).read(*events).end().sent()
    found: dict[str, Any] = sent["context"]
    return found


def test_the_shop_and_the_place() -> None:
    """Of a visit or a purchase at the till; of the place what a person would call it."""
    assert context(type="view")["store"] == "graz"
    assert context(type="purchase", store_id="wien")["store"] == "wien"
    told = context(type="page", geo={"city": "Wien", "lat": 48.2, "lon": 16.4, "ip": "192.0.2.1"})
    assert told["location"] == {"city": "Wien", "lat": 48.2, "lon": 16.4}
    assert "location" not in context(type="view")


SHOPS = (
    Store("mitte", 52.5245, 13.41, "Mitte", "Berlin", "Mo-Sa 10-20"),
    Store("nord", 60.0, 13.41, "Nord"),
    Store("ost", 60.0, 24.9, "Ost", "Helsinki"),
)


def near(geo: dict[str, Any] | None) -> Any:  # noqa: ANN401
    """The nearest store that a message shows to somebody who was last there."""
    fields = {"geo": geo} if geo is not None else {}
    return context(a_policy(shops=SHOPS), type="page", **fields).get("nearest_store")


def test_the_nearest_store() -> None:
    """With what is known of it, and how far that is in km."""
    assert near({"lat": 52.5200, "lon": 13.4050}) == {
        "id": "mitte", "name": "Mitte", "city": "Berlin", "opening": "Mo-Sa 10-20", "distance_km": 0.6,
    }  # fmt: skip
    assert near({"latitude": "59.9", "longitude": "13.5"}) == {
        "id": "nord",
        "name": "Nord",
        "distance_km": 12.2,
    }


@pytest.mark.parametrize(
    "geo",
    [
        None, {"country": "DE"}, {"lat": 52.5}, {"lat": 52.5, "lon": None}, {"lat": True, "lon": 13.4},
        {"lat": 91, "lon": 0.1}, {"lat": 10, "lon": 180.5}, {"lat": "nan", "lon": 1}, {"lat": 0, "lon": 0.0},
        {"lat": [1], "lon": 2}, {"lat": 1e308, "lon": 2}, {"lat": "52,5", "lon": "13,4"},
    ],
)  # fmt: skip
def test_nobody_knows_where_that_is(geo: dict[str, Any] | None) -> None:
    """Without a point on land or sea that a device means there is no nearest store."""
    assert near(geo) is None


def test_a_shop_without_stores() -> None:
    """Says nothing of them."""
    assert "nearest_store" not in context(type="page", geo={"lat": 52.5, "lon": 13.4})


def test_as_far_from_two() -> None:
    """The first by its id, whatever their order in the settings."""
    two = (Store("b", 10.0, 1.0, "B"), Store("a", 10.0, -1.0, "A"))
    for shops in (two, two[::-1]):
        found = nearest(shops, {"lat": 10.0, "lon": 0.0})
        assert found is not None
        assert found["id"] == "a"


@pytest.mark.parametrize(
    ("here", "there", "km"),
    [
        ((0.0, 0.0), (0.0, 90.0), 10_007.557),
        ((90.0, 0.0), (-90.0, 77.0), 20_015.114),
        ((0.0, 179.5), (0.0, -179.5), 111.195),
        ((60.0, 10.0), (60.0, 11.0), 55.597),
        ((36.12, -86.67), (33.94, -118.40), 2_886.448),
        ((52.5, 13.4), (52.5, 13.4), 0.0),
    ],
)
def test_distances(here: tuple[float, float], there: tuple[float, float], km: float) -> None:
    """Quarter and half of a great circle, over the date line, a degree in the north, between two airports."""
    assert distance_km(here, there) == pytest.approx(km, abs=0.001)
    assert distance_km(there, here) == pytest.approx(distance_km(here, there))


_DEGREES = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@given(_DEGREES, _DEGREES, _DEGREES)
def test_distances_are_distances(one: Any, two: Any, three: Any) -> None:  # noqa: ANN401
    """None is longer than half a great circle, nor than the way over a third place."""
    assert 0 <= distance_km(one, two) <= 20_015.115
    assert distance_km(one, two) <= distance_km(one, three) + distance_km(three, two) + 1e-3
