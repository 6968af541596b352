"""What the shop says of its products: what is known of each, and what a record changes."""

from dataclasses import dataclass, field, replace

from .model import DAY, Event, products_of
from .person import Person

INTEREST = 30 * DAY
RECORDS = ("catalogue", "price_change", "stock_change")
"""Touchpoints about prices and stock are records of the catalogue too."""


@dataclass
class Listing:
    """A product as it is offered, None where nothing was ever said; and when each part was last said."""

    price: float | None = None
    stock: float | None = None
    margin: float | None = None
    expires: int | None = None
    said: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class News:
    """A record about one product, with what was known before it and what is known now."""

    product: str
    time: int
    before: Listing
    after: Listing


Catalogue = dict[str, Listing]


def parts_of(record: Event) -> list[tuple[str, dict[str, float]]]:
    """Each product that a record is about, and what it says of it."""
    if record["type"] == "catalogue":
        said = {
            part: record[part]
            for part in ("price", "stock", "margin", "expires")
            if record.get(part) is not None
        }
        return [(record["product_id"], said)]
    part, name = ("price", "price") if record["type"] == "price_change" else ("stock", "quantity")
    items = [item for item in record.get("items") or [] if item.get("product_id")]
    return [(item["product_id"], {part: item[name]}) for item in items if item.get(name) is not None]


def learn(catalogue: Catalogue, record: Event) -> list[News]:
    """Write down what a record says; of each part the latest word counts, of two at one time the second."""
    found = []
    for product, said in parts_of(record):
        before = catalogue.get(product, Listing())
        after = replace(before, said=dict(before.said))
        for part, value in said.items():
            if record["time"] >= after.said.get(part, record["time"]):
                setattr(after, part, value)
                after.said[part] = record["time"]
        catalogue[product] = after
        found.append(News(product, record["time"], before, after))
    return found


def shown(catalogue: Catalogue, event: Event) -> Event:
    """The event as the person saw it: where an item has no price, the catalogue's was shown.

    Each item has the margin that the shop expects by then.
    """
    items = [dict(item) for item in event.get("items") or []]
    for item in items:
        listed = catalogue.get(item.get("product_id") or "")
        if listed is not None:
            item["margin"] = listed.margin
        if item.get("price") is None and listed is not None and listed.price is not None:
            item |= {"price": listed.price, "told": False}
    return {**event, "items": items} if items else event


def is_interested(person: Person, product: str, time: int) -> bool:
    """Whether the person viewed, carted or wished for the product in the 30 days before, or since."""
    for event in person.events:
        if event["time"] <= time - INTEREST or product not in products_of(event):
            continue
        if event["type"] in ("view", "wishlist"):
            return True
        items = [item for item in event["items"] if item.get("product_id") == product]
        puts_in = any(item.get("quantity") is None or item["quantity"] > 0 for item in items)
        if event["type"] in ("add", "cart") and puts_in:
            return True
    return False


def has_bought(person: Person, product: str, time: int) -> bool:
    """Whether the person bought the product in the 30 days before, or since."""
    return person.bought_since(product, time - INTEREST)


def completes(rule: str, news: News) -> bool:
    """Whether the change is one of those the rule is about."""
    price, stock = news.after.price, news.after.stock
    if rule == "price_drop":
        return price is not None and price != news.before.price
    changed = stock is not None and stock != news.before.stock
    if rule == "back_in_stock":
        return changed and news.before.stock == 0
    return changed and is_low(stock)


def is_low(stock: float | None) -> bool:
    """Whether few are left; of what is sold out none are."""
    return stock is not None and 0 < stock <= 3


def holds(rule: str, listed: Listing, seen: float | None) -> bool:
    """Whether what the rule's message says is true of the product as it is listed now."""
    if rule == "price_drop":
        if listed.price is None or seen is None:
            return False
        return listed.price <= seen * 0.95 and listed.price <= seen - 1
    return rule != "low_stock" or is_low(listed.stock)


def is_gone(catalogue: Catalogue, product: str, now: int) -> bool:
    """Whether the product cannot be bought now."""
    listed = catalogue.get(product, Listing())
    return listed.stock == 0 or (listed.expires is not None and listed.expires <= now)
