"""The catalogue and people: who follows which product, and what the shop's news make of their journeys.

The lane keeps an index of products and of those who have looked at them: its entries are the `followed`
products of all journeys. News of a product reach everybody in it, so that a decision needs nothing but the
journey: what is offered now is written there.
"""

from __future__ import annotations

from typing import Final

from retarget.catalogue import Listing, News
from retarget.engine import episodes
from retarget.engine.deciding import Occasion
from retarget.engine.moment import Moment
from retarget.journeys import figures
from retarget.journeys.facts import BY_CATALOGUE
from retarget.journeys.model import Journey, Product
from retarget.journeys.offers import offer_of
from retarget.rules.matcher import Compiled, Matcher
from retarget.rules.scene import Scene
from retarget.touchpoints import Item, Touchpoint

# What of a change everybody's journey must know, whoever decides on it.
_SHOWN: Final = ("price", "margin", "expires")


def follow(journey: Journey, event: Touchpoint, moment: Moment) -> None:
    """Let the person follow each product of the event, from what the catalogue says of it by now on."""
    for item in event.items:
        product = journey.products.get(item.product_id or "")
        if product is None or product.followed:
            continue
        product.followed = True
        moment.follow(item.product_id or "", journey.person, follows=True)
        listing = moment.listings.get(item.product_id or "")
        if listing is not None:
            _introduce(product, listing, event, item.product_id)
            figures.touch(journey, event.items)


def _introduce(product: Product, listing: Listing, event: Touchpoint, product_id: str | None) -> None:
    """What the event did not tell is as the catalogue has it, as at every later look (`facts`)."""
    product.offer = offer_of(listing)
    prices = [item.price for item in event.items if item.product_id == product_id]
    if prices[-1] is None and listing.price is not None and event.time >= product.seen:
        product.price, product.priced = listing.price, BY_CATALOGUE
    for part in ("price", "name", "category", "url", "image_url"):
        if getattr(product, part) is None:
            setattr(product, part, getattr(listing, part))


def unfollow_all(journey: Journey, moment: Moment) -> None:
    """Take a person who will be forgotten out of the index."""
    for name, product in journey.products.items():
        if product.followed:
            product.followed = False
            moment.follow(name, journey.person, follows=False)


def concerns(matcher: Matcher, news: News, scene: Scene, moment: Moment) -> bool:
    """Whether anybody needs to hear: it may be decided upon, or what their journey says is wrong now."""
    if not matcher.follows:
        return False
    sold_out = (news.before.stock == 0) != (news.after.stock == 0)
    if sold_out or any(map(news.changes, _SHOWN)):
        return True
    return any(
        _is_for(c, news, scene, moment) or _is_for(c, news.undone, scene, moment) for c in matcher.catalogue
    )


def _is_for(compiled: Compiled, news: News, scene: Scene, moment: Moment) -> bool:
    """Whether a rule is for such a change, whoever hears of it."""
    trigger = compiled.catalogue
    assert trigger is not None  # only such rules are listed under catalogue
    if not any(map(news.changes, trigger.of)):
        return False
    if trigger.when is None:
        return True
    scene.of_news(news, compiled.rule)
    try:
        return trigger.when.evaluate(scene)
    except Exception as error:  # noqa: BLE001 - the other rules go on
        moment.fail(compiled.name, error)
        return False


def hear(journey: Journey, matcher: Matcher, news: News, scene: Scene, moment: Moment) -> None:
    """Tell one person's journey of the news, and decide what they are for.

    Raises RulesFailed, when all is done, where rules could not stand it.
    """
    product = journey.products.get(news.product)
    if product is None or not product.followed:
        moment.follow(news.product, journey.person, follows=False)
        return
    product.offer = offer_of(news.after)
    if news.time >= moment.clock - moment.max_age:
        scene.of_event(journey, _as_event(news), scene.change, max(news.time, moment.clock))
        for compiled in matcher.catalogue:
            if _is_for(compiled, news, scene, moment):
                _decide(journey, compiled, news, scene, moment)
    if moment.failures:
        moment.raise_failures()


def _as_event(news: News) -> Touchpoint:
    kind = "price_change" if news.changes("price") else "stock_change"
    items = [Item(product_id=news.product)]
    return Touchpoint(id=news.id, type=kind, time=news.time, items=items, trace=news.trace)


def _decide(journey: Journey, compiled: Compiled, news: News, scene: Scene, moment: Moment) -> None:
    trigger, rule = compiled.catalogue, compiled.rule
    assert trigger is not None  # only such rules are listed under catalogue
    if journey.products[news.product].regarded <= news.time - trigger.within:
        return
    scene.about(rule, news.product)
    try:
        if rule.condition is None or rule.condition.evaluate(scene):
            # A shop may give all records of a product one id; each tells of something else.
            occasion = Occasion(
                compiled=compiled, subject=news.product, episode=f"{news.id}@{news.time}", due=news.time,
                began=news.time, evidence=[news.id], trace=news.trace,
            )  # fmt: skip
            episodes.decide_now(journey, compiled, occasion, scene.event, scene, moment)
    except Exception as error:  # noqa: BLE001 - the other rules go on
        moment.fail(compiled.name, error)
