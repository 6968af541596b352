"""What becomes of a link that somebody follows: where it leads, and whether a person has clicked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlencode, urlsplit, urlunsplit

from retarget.errors import Damaged
from retarget.personal.links import Link, decode
from retarget.touchpoints import Item, Touchpoint
from streams.links.revocation import Revoked
from streams.links.tokens import opened
from streams.settings import Settings

# What programs send that look at a page before a person asks for it.
_EARLY: Final = {
    "purpose": ("prefetch", "preview"),
    "x-purpose": ("prefetch", "preview"),
    "sec-purpose": ("prefetch", "prerender"),
    "x-moz": ("prefetch",),
}
# CUBOT is a maker of telephones, whose owners are people.
_MACHINES: Final = re.compile(
    r"(?<!\bcu)bot\b|crawler|spider|preview|scanner|barracuda|proofpoint|mimecast|safelinks|facebookexternalhit|imageproxy",
    re.IGNORECASE,
)
# Each click is one of its own, and the shop need not hear from whose mail it came.
NOT_KEPT: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_CLICKS: Final = {"email": "email_click"}


class Followed(NamedTuple):
    """Where a good link leads, and what is to be told of it; None when no person has clicked."""

    place: str
    event: Touchpoint | None


class Links:
    """The links of one shop, by its settings."""

    def __init__(self, settings: Settings, revoked: Revoked) -> None:
        """`revoked` says of a good link whether it has been taken back."""
        self._keys = settings.purl.keys
        self._target, self._parameter = settings.collect.purl_target, settings.collect.purl_parameter
        self._withdrawn = frozenset(settings.collect.purl_revoked)
        self._revoked = revoked

    async def follow(self, token: str, method: str, headers: Mapping[str, str], now: int) -> Followed | None:
        """Where it leads; None for what is forged, expired or taken back. Raises Untold."""
        link = read(token, self._keys)
        if link is None or not self._target or now >= link.expires_at or link.message_id in self._withdrawn:
            return None
        if await self._revoked(link):
            return None
        clicked = method == "GET" and not by_machine(headers)
        return Followed(self._place(link), click(link, now) if clicked else None)

    def _place(self, link: Link) -> str:
        """The shop's page, with the products as parameters; nothing else of the link or the request."""
        parts = urlsplit(self._target)
        shown = urlencode([(self._parameter, product) for product in link.products])
        query = "&".join(part for part in (parts.query, shown) if part)
        return urlunsplit((parts.scheme, parts.netloc, parts.path or "/", query, ""))


def read(token: str, keys: Sequence[str]) -> Link | None:
    """The link in a token; None when none of the keys has sealed it."""
    data = opened(token, keys)
    try:
        return None if data is None else decode(data)
    except Damaged:
        return None


def by_machine(headers: Mapping[str, str]) -> bool:
    """Whether a program looks, such as a mail scanner or a preview, as far as it says so."""
    for name, words in _EARLY.items():
        said = headers.get(name, "").casefold()
        if any(word in said for word in words):
            return True
    return bool(_MACHINES.search(headers.get("User-Agent", "")))


def click(link: Link, now: int) -> Touchpoint:
    """What a person has done by following it."""
    return Touchpoint(
        type=_CLICKS.get(link.channel, "ad_click"),
        time=now,
        user_id=link.person if link.known else None,
        anonymous_id=None if link.known else link.person,
        medium="owned",
        channel=link.channel,
        campaign={"message_id": link.message_id},
        items=[Item(product_id=product) for product in link.products],
    )
