"""The vocabulary: every name and function that a condition may use, with its type and meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, get_args

from retarget.journeys import consents, figures, prices, stages, traits
from retarget.journeys.model import Journey, Product
from retarget.rules import customs, of_events, of_subjects, subjects, tallies, telling, third_parties
from retarget.rules.conditions import Argument, Function, Name, Vocabulary, Window
from retarget.rules.expressions.terms import Read
from retarget.rules.model import Channel
from retarget.rules.scene import Scene
from retarget.touchpoints import IMPERSONAL, TYPES

_CART: Final = frozenset({"cart"})
_PRODUCT: Final = frozenset({"product"})
_LISTING: Final = frozenset({subjects.LISTING})
# With more carts figures are kept.
_FEW: Final = 4


def _cart_size(scene: Scene) -> int:
    return len(scene.journey.carts.get(scene.subject, ()))


def _cart_value(scene: Scene) -> float | None:
    journey, cart = scene.journey, scene.subject
    return figures.of(journey).worth(journey.carts, cart) if cart in journey.carts else None


def _carts_size(scene: Scene) -> int:
    carts = scene.journey.carts
    return len(figures.of(scene.journey).held(carts)) if carts else 0


def _carts_value(scene: Scene) -> float | None:
    carts = scene.journey.carts
    return figures.of(scene.journey).worth(carts, None) if carts else None


def _product(scene: Scene) -> Product | None:
    return scene.journey.products.get(scene.subject)


def _in_cart(scene: Scene) -> bool:
    journey, product = scene.journey, scene.subject
    if len(journey.carts) > _FEW:
        return product in figures.of(journey).held(journey.carts)
    for lines in journey.carts.values():  # noqa: SIM110 - any() costs twice as much
        if product in lines:
            return True
    return False


def _since(field: str) -> Callable[[Scene], int | None]:
    def since(scene: Scene) -> int | None:
        product = _product(scene)
        moment = getattr(product, field) if product is not None else 0
        return scene.at - moment if moment else None

    return since


def _price(scene: Scene) -> float | None:
    product = _product(scene)
    return product.price if product is not None else None


def _offered(part: str) -> Callable[[Scene], float | None]:
    def offered(scene: Scene) -> float | None:
        product = _product(scene)
        known = product.offer if product is not None else None
        return None if known is None else getattr(known, part)

    return offered


def _listed(part: str, *, before: bool = False) -> Callable[[Scene], float | None]:
    def listed(scene: Scene) -> float | None:
        news = scene.news
        return None if news is None else getattr(news.before if before else news.after, part)

    return listed


def _category(scene: Scene) -> str | None:
    product = _product(scene)
    return product.category if product is not None else None


def _product_stage(scene: Scene) -> str | None:
    product = _product(scene)
    if product is None:
        return None
    stage, _ = stages.of_product(scene.journey, scene.subject, product, scene.at)
    return stages.STAGES[stage] if stage != stages.NONE else None


def _person_stage(scene: Scene) -> str | None:
    stage = scene.journey.stage
    return stages.STAGES[stage] if stage != stages.NONE else None


def _trait(key: str) -> Callable[[Scene], str | None]:
    return lambda scene: traits.text(scene.journey, key)


def _trait_number(key: str) -> Callable[[Scene], float | None]:
    return lambda scene: traits.number(scene.journey, key)


def _other_than(
    key: str, form: Callable[[Journey, str], object], fine: frozenset[type]
) -> Callable[[Scene], bool]:
    """Whether the trait is told, and has another form; never of the types that are `fine`."""

    def misfit(scene: Scene) -> bool:
        journey = scene.journey
        told = journey.traits.get(key)
        if told is None or type(told) in fine:
            return False
        return form(journey, key) is None and traits.told(journey, key)

    return misfit


def _profile(key: str, doc: str) -> Name:
    return Name(
        type="text",
        doc=doc,
        read=lambda scene: traits.word(scene.journey, key),
        misfit=_other_than(key, traits.word, frozenset({str, int, float})),
    )


NAMES: Final[Mapping[str, Name]] = {
    **of_events.NAMES,
    "cart.id": Name(
        type="text", doc="its id; empty: the default cart", read=lambda scene: scene.subject, subjects=_CART
    ),
    "cart.size": Name(type="number", doc="different products in the cart", read=_cart_size, subjects=_CART),
    "cart.value": Name(
        type="number", doc="worth of the cart, where prices are known", read=_cart_value, subjects=_CART
    ),
    "carts.size": Name(
        type="number", doc="different products in all of the person's carts", read=_carts_size
    ),
    "carts.value": Name(type="number", doc="worth of all of them, where prices are known", read=_carts_value),
    "product.id": Name(type="text", doc="its id", read=lambda scene: scene.subject, subjects=_PRODUCT),
    "product.category": Name(type="text", doc="category when last seen", read=_category, subjects=_PRODUCT),
    "product.in_cart": Name(
        type="bool", doc="it is in one of the person's carts", read=_in_cart, subjects=_PRODUCT
    ),
    "product.price": Name(type="number", doc="price when last seen", read=_price, subjects=_PRODUCT),
    "product.price_now": Name(
        type="number", doc="price in the catalogue now", read=_offered("price"), subjects=_PRODUCT
    ),
    "product.stock": Name(
        type="number", doc="pieces in stock, by the catalogue", read=_offered("stock"), subjects=_PRODUCT
    ),
    "product.margin": Name(
        type="number", doc="expected margin of one piece, by the catalogue", read=_offered("margin"),
        subjects=_PRODUCT
    ),
    "listing.price": Name(type="number", doc="the new price", read=_listed("price"), subjects=_LISTING),
    "listing.price_before": Name(
        type="number", doc="the price before the change", read=_listed("price", before=True),
        subjects=_LISTING
    ),
    "listing.stock": Name(type="number", doc="the new stock", read=_listed("stock"), subjects=_LISTING),
    "listing.stock_before": Name(
        type="number", doc="the stock before the change", read=_listed("stock", before=True),
        subjects=_LISTING
    ),
    "listing.margin": Name(type="number", doc="the new margin", read=_listed("margin"), subjects=_LISTING),
    "product.since_bought": Name(
        type="duration", doc="time since the person last bought it; unknown if never",
        read=_since("bought"), subjects=_PRODUCT
    ),
    "product.since_viewed": Name(
        type="duration", doc="time since the person last viewed it", read=_since("viewed"), subjects=_PRODUCT
    ),
    "product.since_wished": Name(
        type="duration", doc="how long it has been on the wish list; unknown if it is not",
        read=_since("wished"), subjects=_PRODUCT
    ),
    "product.stage": Name(
        type="text", doc="how near to buying it the person is",
        read=_product_stage, subjects=_PRODUCT, choices=stages.STAGES
    ),
    "person.stage": Name(
        type="text", doc="the highest of their products' stages in the last 14 days",
        read=_person_stage, choices=stages.STAGES
    ),
    "person.known": Name(
        type="bool", doc="the person has a user id", read=lambda s: s.journey.user_id is not None
    ),
    "person.unconfirmed": Name(
        type="list", doc="channels of which consent waits to be confirmed (`*`: all)",
        read=lambda scene: [key.partition("|")[2] for key in scene.journey.asked],
        choices=(*get_args(Channel), consents.EVERY)
    ),
    "person.purchases": Name(type="number", doc="orders ever", read=lambda scene: scene.journey.order_count),
    prices.NAME: Name(
        type="number",
        doc="median price, as last seen, of the products viewed in the last 30 days; unknown under three",
        read=lambda scene: prices.median_viewed(scene.journey, scene.at)
    ),
    **of_subjects.NAMES,
    "session.events": Name(
        type="number", doc="events of the current visit", read=lambda s: s.journey.session.events
    ),
    "session.length": Name(
        type="duration", doc="length of the current visit",
        read=lambda scene: scene.journey.session.last - scene.journey.session.started
    ),
    "profile.locale": _profile("locale", "language and country"),
    "profile.country": _profile("country", "country"),
    "profile.gender": _profile("gender", "gender, where the person told it"),
    "profile.persona": _profile("persona", "persona"),
}  # fmt: skip


class _Over:
    """A function over a window: how its calls are read, and what they look back on.

    `number` is what is kept beside each event; `named`: the call says it first.
    """

    def __init__(
        self, look: tallies.Look, beside: Callable[[float], tallies.Look] | None = None,
        number: str | None = None, *, named: bool = False,
    ) -> None:  # fmt: skip
        self._look, self._beside, self._number, self._named = look, beside, number, named

    def build(self, *texts: str, within: int, category: str | None = None, about: str | None = None) -> Read:
        """What reads the value of a call."""
        return self._reader(self._look, self.window(*texts, within=within, category=category, about=about))

    def beside(
        self, *texts: str, within: int, category: str | None = None, about: str | None = None
    ) -> Callable[[float], Read]:
        """By what it is compared with a constant."""
        window, look = self.window(*texts, within=within, category=category, about=about), self._beside
        assert look is not None, "only where there is something quicker"
        return lambda limit: self._reader(look(limit), window)

    def _reader(self, look: tallies.Look, window: Window) -> Read:
        types, number, category = window.types, window.number, window.category
        names = {kind: tallies.key(types, kind, number, category=category) for kind in subjects.OF}
        return tallies.reader(look, window.within, names, names[window.about] if window.about else "")

    def window(
        self, *texts: str, within: int, category: str | None = None, about: str | None = None
    ) -> Window:
        """The events that a call looks back on."""
        if category == "":
            raise ValueError('category is empty; write a category, such as category="tv"')
        number, types = (subjects.mark(texts[0]), texts[1:]) if self._named else (self._number, texts)
        if number == "category" and category is not None:
            raise ValueError(f"different categories of {category}, of which there is one; write no category")
        return Window(tuple(sorted(types)), within, number, category, about)


_COUNT: Final = _Over(tallies.COUNT, tallies.count_beside)
_DISTINCT: Final = _Over(tallies.DISTINCT, tallies.distinct_beside, named=True)
_DAYS_WITH: Final = _Over(tallies.DAYS_WITH)
_SUM: Final = _Over(tallies.SUM, tallies.sum_beside, named=True)
_DWELL: Final = _Over(tallies.SUM, tallies.sum_beside, "dwell")


def _since_opened(*types: str) -> Callable[[Scene], int | None]:
    only = customs.CUSTOM not in types  # else those of every name, too, each of which is counted by itself

    def since_opened(scene: Scene) -> int | None:
        episode = scene.episode
        if episode is None:
            return None
        counts = episode.counts
        if only:
            return sum(counts.get(name, 0) for name in types)
        return sum(seen for name, seen in counts.items() if any(customs.covers(one, name) for one in types))

    return since_opened


_VALUE: Final = Argument(name="value", type="text", choices=telling.WORDS[::-1])
_FIELD: Final = Argument(name="field", type="text", choices=("quantity", "worth", "value"))
_KEY: Final = Argument(name="key", type="text")
_WITHIN: Final = Argument(name="within", type="duration", keyword=True)
_TYPES: Final = Argument(
    name="types", type="text", many=True, choices=tuple(sorted(TYPES - IMPERSONAL)), family=customs.MARK
)
# What every function over a window takes.
_OVER: Final = (
    _TYPES,
    _WITHIN,
    Argument(name="category", type="text", keyword=True, required=False),
    Argument(name="about", type="text", keyword=True, required=False, choices=("person",)),
)

FUNCTIONS: Final[Mapping[str, Function]] = {
    "count": Function(
        args=_OVER,
        returns="number",
        doc="events of these types about the subject in the window that ends now",
        build=_COUNT.build,
        window=_COUNT.window,
        beside=_COUNT.beside,
    ),
    "distinct": Function(
        args=(_VALUE, *_OVER),
        returns="number",
        doc="different products of such events, or orders, devices and so on, as told below",
        build=_DISTINCT.build,
        window=_DISTINCT.window,
        beside=_DISTINCT.beside,
    ),
    "days_with": Function(
        args=_OVER,
        returns="number",
        doc="different days (UTC) of such events in the window that ends now",
        build=_DAYS_WITH.build,
        window=_DAYS_WITH.window,
    ),
    "sum": Function(
        args=(_FIELD, *_OVER),
        returns="number",
        doc="values of such events added up, whatever their currency; 0 without any; see below",
        build=_SUM.build,
        window=_SUM.window,
        beside=_SUM.beside,
    ),
    "dwell": Function(
        args=_OVER,
        returns="duration",
        doc="time spent in such events",
        build=_DWELL.build,
        window=_DWELL.window,
        beside=_DWELL.beside,
    ),
    "since_opened": Function(
        args=(_TYPES,),
        returns="number",
        doc="events of these types that opened or touched the open episode",
        build=_since_opened,
    ),
    "trait": Function(
        args=(_KEY,),
        returns="text",
        doc="a trait of the person; unknown when it was never told, or is empty",
        build=_trait,
    ),
    "trait_number": Function(
        args=(_KEY,),
        returns="number",
        doc="the same as a number; unknown when it is none",
        build=_trait_number,
        misfit=lambda key: _other_than(key, traits.number, frozenset({int})),
    ),
    **third_parties.FUNCTIONS,
}

VOCABULARY: Final = Vocabulary(NAMES, FUNCTIONS, {subjects.LISTING: "catalogue.when"})
