"""The nearest of the shop's stores to where a person was last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import asin, cos, isfinite, radians, sin, sqrt
from typing import Any, Final, NamedTuple

# The mean radius of the earth, R1 of the International Union of Geodesy and Geophysics
# (H. Moritz, "Geodetic Reference System 1980", Journal of Geodesy 74, 2000).
_RADIUS_KM: Final = 6371.0088
_NOWHERE: Final = (0.0, 0.0)


class Shop(NamedTuple):
    """One store: where it is in degrees, and what a message says of it."""

    id: str
    lat: float
    lon: float
    name: str
    city: str = ""
    opening: str = ""


def nearest(shops: Iterable[Shop], geo: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What a message says of the store next to a place; None when nobody knows where that is, or of none.

    Of two that are as far the one whose id comes first.
    """
    here = _point(geo) if geo else None
    if here is None:
        return None
    distance, shop = min(((distance_km(here, (one.lat, one.lon)), one) for one in shops), default=(0.0, None))
    if shop is None:
        return None
    said = {"id": shop.id, "name": shop.name, "city": shop.city, "opening": shop.opening}
    return {key: text for key, text in said.items() if text} | {"distance_km": round(distance, 1)}


def distance_km(here: tuple[float, float], there: tuple[float, float]) -> float:
    """Kilometres along a great circle between two points of latitude and longitude, in degrees.

    By the haversine (R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68, 1984, p. 159), which is
    exact for small distances too; the earth is no sphere, so it may be wrong by half a percent.
    """
    lat, lon, other_lat, other_lon = map(radians, (*here, *there))
    half_chord = sin((other_lat - lat) / 2) ** 2 + cos(lat) * cos(other_lat) * sin((other_lon - lon) / 2) ** 2
    return 2 * _RADIUS_KM * asin(min(1.0, sqrt(half_chord)))


def is_on_earth(lat: float, lon: float) -> bool:
    """Whether there is such a place."""
    return -90 <= lat <= 90 and -180 <= lon <= 180  # noqa: PLR2004 - degrees


def _point(geo: Mapping[str, Any]) -> tuple[float, float] | None:
    lat, lon = _degrees(geo.get("lat", geo.get("latitude"))), _degrees(geo.get("lon", geo.get("longitude")))
    if lat is None or lon is None or not is_on_earth(lat, lon):
        return None
    # Where nothing is but sea; what devices say that do not know where they are.
    return (lat, lon) if (lat, lon) != _NOWHERE else None


def _degrees(given: object) -> float | None:
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return None
    try:
        number = float(given)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None
