"""One visit: how it begins, and the pages that follow."""

from __future__ import annotations

from typing import Final

from retarget.times import SECOND
from retarget.touchpoints import Touchpoint
from streams.shop import account, till
from streams.shop.catalogue import Product
from streams.shop.draw import around, chance, pick
from streams.shop.funnel import FUNNEL
from streams.shop.presence import Presence
from streams.shop.timeline import Process

_PAID: Final = (("search-ads", "spring-search"), ("social-ads", "look-again"), ("price-comparison", "feed"))
_EARNED: Final = ("photo-network", "home-blog", "review-site", "short-video")
_SHARES_OF_MEDIA: Final = {"direct": 0.45, "paid": 0.2, "owned": 0.2, "earned": 0.15}
_BY_BROCHURE: Final = 0.15


def visit(guest: Presence, errand: Product | None = None) -> Process:
    """A whole visit of somebody, from the door to the till or out again; an errand is bought at once."""
    guest.arrive()
    yield from _door(guest)
    if errand is None:
        yield from browse(guest)
    else:
        yield from _look_at(guest, errand)
        yield from till.buy_now(guest, errand)
    yield from till.leave_or_pay(guest)
    yield from account.second_thoughts(guest)


def _door(guest: Presence) -> Process:
    yield guest.sign(_opening(guest))
    yield SECOND
    yield guest.sign(_source(guest))
    if guest.wants_to_sign_in:
        yield from account.sign_in(guest)
    elif guest.person.user_id is None:
        if guest.device.app:
            yield from account.tell(guest, {"timezone": guest.person.timezone})
        yield from account.consent(guest, "banner")


def _opening(guest: Presence) -> Touchpoint:
    here = {"country": guest.person.country, "timezone": guest.person.timezone}
    if guest.device.app:
        return Touchpoint(type="app_open", channel="app", geo=here)
    return Touchpoint(type="session", channel="web", geo=here)


def _source(guest: Presence) -> Touchpoint:
    """The landing: typed in, or by an advertisement, a mail or brochure of the shop, or what others wrote."""
    rng = guest.rng
    medium = rng.choices(tuple(_SHARES_OF_MEDIA), tuple(_SHARES_OF_MEDIA.values()))[0]
    if medium == "paid":
        source, name = pick(rng, _PAID)
        campaign = {"id": f"ad-{name}", "name": name, "click_id": f"{rng.getrandbits(64):016x}"}
        return Touchpoint(type="ad_click", medium=medium, source=source, campaign=campaign)
    if medium == "owned" and guest.known:
        return _owned(guest)
    if medium == "earned":
        return Touchpoint(type="page", name="landing", medium=medium, source=pick(rng, _EARNED))
    return Touchpoint(type="page", name="home")


def _owned(guest: Presence) -> Touchpoint:
    rng = guest.rng
    if chance(rng, _BY_BROCHURE):
        purl = f"https://shop.example/b/{rng.getrandbits(48):012x}"
        campaign = {"id": "brochure-spring", "name": "spring brochure", "purl": purl}
        return Touchpoint(type="ad_click", medium="owned", source="brochure", campaign=campaign)
    campaign = {"id": "newsletter", "name": "newsletter", "message_id": f"{rng.getrandbits(64):016x}"}
    return Touchpoint(
        type="email_click", channel="email", medium="owned", source="newsletter", campaign=campaign
    )


def browse(guest: Presence) -> Process:
    """Product pages, with searches and lists between, and what is done on them."""
    rng = guest.rng
    for number in range(_length(guest)):
        product = _next_product(guest)
        if number == 0 or chance(rng, FUNNEL.list_first):
            yield from _way_to(guest, product)
        yield from _look_at(guest, product)
        yield from _act(guest, product)


def _look_at(guest: Presence, product: Product) -> Process:
    dwell = around(guest.rng, FUNNEL.dwell)
    yield guest.sign(Touchpoint(type="view", items=[guest.shelf.item(product)], dwell_ms=dwell))
    guest.remember(product)
    yield dwell


def _length(guest: Presence) -> int:
    if chance(guest.rng, FUNNEL.only_one_view):
        return 1
    return 2 + int(guest.rng.expovariate(1 / FUNNEL.views_beyond_two) + 0.5)


def _next_product(guest: Presence) -> Product:
    rng = guest.rng
    if guest.seen and chance(rng, FUNNEL.seen_again):
        return pick(rng, guest.seen)
    strays = chance(rng, FUNNEL.off_interest)
    category = pick(rng, guest.shelf.shop.categories if strays else guest.person.habits.interests)
    return guest.shelf.choose(rng, category)


def _way_to(guest: Presence, product: Product) -> Process:
    rng = guest.rng
    if chance(rng, FUNNEL.search_first):
        query = product.name.split(" ", 1)[1].lower()
        yield guest.sign(Touchpoint(type="search", query=query))
    else:
        place = rng.randint(1, 24)
        yield guest.sign(Touchpoint(type="list_view", name=product.category, position=place))
    yield around(rng, 8 * SECOND)


def _act(guest: Presence, product: Product) -> Process:
    rng, item = guest.rng, guest.shelf.item(product)
    if chance(rng, FUNNEL.to_wish_list) and product not in guest.wished:
        guest.wished.append(product)
        yield guest.sign(Touchpoint(type="wishlist", items=[item]))
    if chance(rng, FUNNEL.share):
        yield guest.sign(Touchpoint(type="share", items=[item], channel="social"))
    if guest.shelf.stock[product.product_id] == 0:
        return
    if chance(rng, FUNNEL.buy_now):
        yield from till.buy_now(guest, product)
    elif chance(rng, guest.to_cart):
        yield from till.add(guest, product)
    elif guest.wished and chance(rng, FUNNEL.takes_off_wish_list):
        dropped = guest.wished.pop(0)
        yield guest.sign(Touchpoint(type="wishlist_remove", items=[guest.shelf.item(dropped)]))
