"""What the shop sells: 200 invented products in twelve categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from retarget.touchpoints import Item
from streams.shop.draw import chance, pick, ranked_weights, seeded

CURRENCY: Final = "EUR"
SITE: Final = "https://shop.example"

# (name, lowest and highest price, what is sold)
_CATEGORIES: Final[Sequence[tuple[str, int, int, str]]] = (
    ("kitchen", 12, 180, "Kettle,Saucepan,Bread Knife,Stand Mixer,Mortar,Casserole"),
    ("coffee", 6, 38, "House Blend,Dark Roast,Filter Beans,Espresso Beans,Decaf"),
    ("lighting", 25, 260, "Desk Lamp,Pendant,Floor Lamp,Reading Light,Lantern"),
    ("seating", 140, 1400, "Armchair,Sofa,Dining Chair,Stool,Recliner,Bench"),
    ("bicycles", 420, 3200, "City Bike,Touring Bike,Gravel Bike,Folding Bike,Cargo Bike"),
    ("audio", 30, 480, "Headphones,Earbuds,Bookshelf Speaker,Radio,Turntable"),
    ("shoes", 45, 220, "Trail Runner,Ankle Boot,Loafer,Sandal,Sneaker,Hiking Boot"),
    ("rainwear", 35, 290, "Parka,Poncho,Shell Jacket,Umbrella,Rain Trousers"),
    ("toys", 8, 90, "Marble Run,Wooden Train,Puzzle,Kite,Building Set"),
    ("pets", 5, 70, "Cat Food,Dog Food,Cat Tree,Dog Bed,Bird Seed"),
    ("skincare", 7, 65, "Day Cream,Hand Balm,Face Wash,Sun Lotion,Lip Care"),
    ("garden", 10, 320, "Pruner,Watering Can,Planter,Hammock,Rake,Bird Bath"),
)
_SERIES_NAMES: Final = (
    "Alder,Bramble,Calder,Dunmore,Elmstead,Farrow,Glenby,Harlow,Isley,Juniper,Kestrel,Linden,Marlow,"
    "Nettle,Osier,Penrose,Quill,Rowan,Sorrel,Tarn,Umber,Vesper,Willow,Yarrow"
)
_BRAND_NAMES: Final = "Northmoor,Pellworth,Casa Ondine,Ferrin & Dale,Lowtide,Mabrook,Ostrand,Twelve Acres"
_SERIES: Final = _SERIES_NAMES.split(",")
_BRANDS: Final = _BRAND_NAMES.split(",")

# Bought again and again, so that a refill can be foreseen.
STAPLES: Final = ("coffee", "pets", "skincare")
_SCARCE: Final = 0.08


@dataclass(frozen=True, kw_only=True, slots=True)
class Product:
    """One product; `price` is the list price, `stock` what lies there on the first day."""

    product_id: str
    name: str
    category: str
    brand: str
    price: float
    stock: int
    url: str
    image_url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Shop:
    """A catalogue, the most wanted products of each category first."""

    products: Sequence[Product]
    by_category: Mapping[str, Sequence[Product]]
    by_id: Mapping[str, Product]

    @property
    def categories(self) -> Sequence[str]:
        """The names of all categories."""
        return tuple(self.by_category)


@dataclass(kw_only=True, slots=True)
class Shelf:
    """What the shop's prices and stock are at the moment."""

    shop: Shop
    price: dict[str, float] = field(default_factory=dict)
    stock: dict[str, int] = field(default_factory=dict)
    weights: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.price = {product.product_id: product.price for product in self.shop.products}
        self.stock = {product.product_id: product.stock for product in self.shop.products}
        self.weights = {name: ranked_weights(len(sold)) for name, sold in self.shop.by_category.items()}

    def choose(self, rng: Random, category: str) -> Product:
        """A product of the category, the popular ones more often."""
        sold = self.shop.by_category[category]
        return rng.choices(sold, cum_weights=self.weights[category])[0]

    def item(self, product: Product, quantity: int | None = None) -> Item:
        """The product as events show it, at its present price."""
        return Item(
            product_id=product.product_id,
            name=product.name,
            category=product.category,
            brand=product.brand,
            price=self.price[product.product_id],
            quantity=quantity,
            url=product.url,
            image_url=product.image_url,
        )


def open_shop(seed: int = 1, products: int = 200) -> Shop:
    """A shop with so many products (at most 1,440); the same seed gives the same shop."""
    rng = seeded(seed)
    by_category: dict[str, list[Product]] = {name: [] for name, *_ in _CATEGORIES}
    for number in range(products):
        name, low, high, nouns = _CATEGORIES[number % len(_CATEGORIES)]
        series = _SERIES[number // len(_CATEGORIES) % len(_SERIES)]
        by_category[name].append(_product(rng, number, name, (low, high), f"{series} {_noun(nouns, number)}"))
    everything = [product for sold in by_category.values() for product in sold]
    return Shop(
        products=everything,
        by_category=by_category,
        by_id={product.product_id: product for product in everything},
    )


def _noun(nouns: str, number: int) -> str:
    choice = nouns.split(",")
    # Each round through the series pairs them with other nouns, so that no name comes twice.
    turn, place = divmod(number // len(_CATEGORIES), len(_SERIES))
    return choice[(place + turn) % len(choice)]


def _product(rng: Random, number: int, category: str, span: tuple[int, int], name: str) -> Product:
    low, high = span
    # Cheap things are more common than dear ones.
    price = round(low * (high / low) ** rng.random()) - 0.05
    slug = name.lower().replace(" ", "-")
    return Product(
        product_id=f"P-{1001 + number}",
        name=name,
        category=category,
        brand=pick(rng, _BRANDS),
        price=price,
        stock=rng.randint(4, 6) if chance(rng, _SCARCE) else rng.randint(30, 120),
        url=f"{SITE}/{category}/{slug}",
        image_url=f"{SITE}/images/{1001 + number}.jpg",
    )
