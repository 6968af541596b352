"""What people tell the shop about themselves: who they are, and what they agree to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from retarget.times import SECOND
from retarget.touchpoints import Touchpoint
from streams.shop.draw import chance, pick
from streams.shop.funnel import FUNNEL
from streams.shop.people import account_number
from streams.shop.presence import Presence
from streams.shop.timeline import Process

_TEXT_VERSION: Final = "2024-03"
_LINKED_BY_ALIAS: Final = 0.3
_ADDRESS_BEFORE_FIRST_ORDER: Final = 0.5
_TAGS: Final = ("reminder", "advice", "offer")


def sign_in(guest: Presence) -> Process:
    """The person proves who they are on this device; what the account holds is told the first time."""
    first = not guest.signed_in
    guest.signed_in.add(guest.device.anonymous_id)
    yield 4 * SECOND
    if not first and chance(guest.rng, _LINKED_BY_ALIAS):
        yield guest.sign(Touchpoint(type="alias"))
        return
    known = dict(guest.person.traits)
    if chance(guest.rng, _ADDRESS_BEFORE_FIRST_ORDER):
        known["postal_address"] = dict(guest.person.address)
    yield from tell(guest, known)
    yield from consent(guest, "account")


def register(guest: Presence) -> Process:
    """Somebody without an account opens one."""
    guest.person = replace(guest.person, user_id=account_number(guest.rng))
    yield from sign_in(guest)


def tell(guest: Presence, traits: dict[str, Any]) -> Process:
    """An `identify` with these traits and the device's push token, unless all of it has been told before."""
    if guest.device.push_token is not None:
        tokens = guest.told.get("push_tokens", [])
        missing = [guest.device.push_token] if guest.device.push_token not in tokens else []
        traits = traits | {"push_tokens": tokens + missing}
    news = {name: value for name, value in traits.items() if guest.told.get(name) != value}
    if news:
        guest.told |= news
        yield guest.sign(Touchpoint(type="identify", traits=news))


def consent(guest: Presence, basis: str) -> Process:
    """The answers to what the shop asks and has not heard yet."""
    for channel, granted in guest.person.consents.items():
        if channel not in guest.consents:
            guest.consents[channel] = granted
            yield SECOND
            yield guest.sign(_answer(channel, granted=granted, denied="denied", basis=basis))


def change_mind(guest: Presence) -> Process:
    """Another answer than before on one channel."""
    if guest.consents:
        channel = pick(guest.rng, sorted(guest.consents))
        guest.consents[channel] = granted = not guest.consents[channel]
        yield 20 * SECOND
        yield guest.sign(_answer(channel, granted=granted, denied="revoked", basis="settings"))


def second_thoughts(guest: Presence) -> Process:
    """What people rarely do about messages: answer anew, unsubscribe, ask for fewer, ask to be forgotten."""
    rng = guest.rng
    if chance(rng, FUNNEL.changes_mind):
        yield from change_mind(guest)
    if guest.consents.get("email") and chance(rng, FUNNEL.unsubscribes):
        guest.consents["email"] = False
        yield guest.sign(Touchpoint(type="unsubscribe", channel="email"))
    if guest.known and chance(rng, FUNNEL.wants_less):
        wish = {"less": [pick(rng, _TAGS)], "max_per_week": rng.randint(1, 3)}
        yield guest.sign(Touchpoint(type="profile", traits={"preference": wish}))
    if guest.known and chance(rng, FUNNEL.asks_to_be_erased):
        guest.gone = True
        yield guest.sign(Touchpoint(type="erase"))


def _answer(channel: str, *, granted: bool, denied: str, basis: str) -> Touchpoint:
    state = "granted" if granted else denied
    said = {"purpose": "marketing", "channel": channel, "state": state}
    return Touchpoint(type="consent", consent=said | {"basis": basis, "text_version": _TEXT_VERSION})
