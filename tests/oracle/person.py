"""What is known of one person, and how an event changes it."""

from dataclasses import dataclass, field, replace
from typing import Any

from .model import DAY, Event, Step, cart_of, order_of, products_of

Rank = tuple[float, int, int, str, str, int]
"""What a message competes with; the smaller one wins."""


@dataclass
class Send:
    """Something that went out: a message, or an addition to an audience (channel `ads`)."""

    step: Step
    channel: str
    time: int
    audience: str = ""
    undone: bool = False
    rank: Rank | None = None
    leaves: int = 0

    def counts_at(self) -> int:
        """When the person gets it at the earliest: what a rate holds back has not left yet."""
        return max(self.time, self.leaves)


@dataclass(frozen=True)
class Effect:
    """What an event did to the cart or order it is about."""

    touched_cart: bool = False
    emptied_cart: bool = False
    new_order: bool = False
    orders: int = 0
    """How many orders the person has by now, ever."""


@dataclass
class Person:
    """Everything the rules and gates may ask about a person; nothing is ever forgotten."""

    id: str
    known: bool = False
    events: list[Event] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    carts: dict[str, dict[str, int]] = field(default_factory=dict)
    put_in_at: dict[tuple[str, str], int] = field(default_factory=dict)
    wishes: dict[str, int] = field(default_factory=dict)
    orders: list[str] = field(default_factory=list)
    traits: dict[str, Any] = field(default_factory=dict)
    sends: list[Send] = field(default_factory=list)
    passed_again: dict[tuple[str, str], int] = field(default_factory=dict)
    stages: dict[str, str] = field(default_factory=dict)
    less: list[str] = field(default_factory=list)
    most_per_week: int | None = None
    no_marketing_until: int = 0
    years_done: set[int] = field(default_factory=set)
    codes: dict[tuple[str, ...], int] = field(default_factory=dict)

    def has_applied(self, event: Event) -> bool:
        """Whether the event repeats one that was applied."""
        for number, other in enumerate(reversed(self.events)):
            if other["id"] != event["id"]:
                continue
            if number < 128 or abs(other["time"] - event["time"]) < DAY:
                return True
        return False

    def copy(self) -> "Person":
        """A person to try events on."""
        return replace(
            self,
            events=list(self.events),
            effects=list(self.effects),
            carts={cart_id: dict(cart) for cart_id, cart in self.carts.items()},
            put_in_at=dict(self.put_in_at),
            wishes=dict(self.wishes),
            orders=list(self.orders),
            traits=dict(self.traits),
        )

    def bought_since(self, product: str, time: int) -> bool:
        """Whether a purchase of the product with a later time has been applied."""
        later = [event for event in self.events if event["time"] > time and event["type"] == "purchase"]
        return any(product in products_of(event) for event in later)

    def in_a_cart(self, product: str) -> bool:
        """Whether the product lies in any cart of the person."""
        return any(product in cart for cart in self.carts.values())


def change(person: Person, event: Event) -> Effect:
    """Apply an event to the person's state."""
    effect = replace(change_state(person, event), orders=len(person.orders))
    person.events.append(event)
    person.effects.append(effect)
    return effect


def change_state(person: Person, event: Event) -> Effect:
    """Apply an event to carts, orders, wishes and traits."""
    if event.get("user_id"):
        person.known = True
    kind = event["type"]
    if kind in ("add", "remove", "cart"):
        return change_cart(person, event)
    if kind == "purchase":
        return change_by_purchase(person, event)
    if kind == "wishlist":
        for product in products_of(event):
            person.wishes[product] = event["time"]
    if kind == "wishlist_remove":
        for product in products_of(event):
            person.wishes.pop(product, None)
    if kind in ("identify", "profile"):
        traits: dict[str, Any] = event.get("traits") or {}
        person.traits.update(traits)
        if "preference" in traits:
            hear_preference(person, traits["preference"])
    return Effect()


def hear_preference(person: Person, said: object) -> None:
    """Take what a person asks for; a part that cannot be read leaves that part as it was."""
    if said is None:
        said = {}
    if not isinstance(said, dict):
        return
    less = said.get("less")
    if less is None:
        person.less = []
    elif isinstance(less, list):
        person.less = [tag for tag in less if isinstance(tag, str)]
    number = said.get("max_per_week")
    if number is None:
        person.most_per_week = None
    elif type(number) is int and number >= 0:
        person.most_per_week = number


def change_by_purchase(person: Person, event: Event) -> Effect:
    """Count the order, and take its products out of every cart."""
    new_order = order_of(event) not in person.orders
    if new_order:
        person.orders.append(order_of(event))
    for product in products_of(event):
        for cart in person.carts.values():
            cart.pop(product, None)
    return Effect(new_order=new_order)


def change_cart(person: Person, event: Event) -> Effect:
    """Apply `add`, `remove` or `cart`."""
    cart = person.carts.setdefault(cart_of(event), {})
    before = dict(cart)
    if event["type"] == "cart":
        cart.clear()
    for item in event.get("items") or []:
        if not item.get("product_id"):
            continue
        if event["type"] == "remove":
            take_out(cart, item)
        else:
            put_in(person, cart, item, event)
    if event["type"] == "remove" and cart == before:
        return Effect()
    empties = event["type"] in ("remove", "cart")
    return Effect(touched_cart=bool(cart), emptied_cart=empties and not cart)


def put_in(person: Person, cart: dict[str, int], item: dict[str, Any], event: Event) -> None:
    """Put an item into a cart; a quantity of 0 or less puts nothing in."""
    quantity = item.get("quantity")
    quantity = 1 if quantity is None else quantity
    product = item["product_id"]
    if quantity > 0 and not person.bought_since(product, event["time"]):
        cart[product] = cart.get(product, 0) + quantity
        person.put_in_at[cart_of(event), product] = event["time"]


def take_out(cart: dict[str, int], item: dict[str, Any]) -> None:
    """Take an item out of a cart, whole when no quantity is said."""
    product = item["product_id"]
    quantity = item.get("quantity")
    if product not in cart:
        return
    if quantity is None or quantity >= cart[product]:
        del cart[product]
    elif quantity > 0:
        cart[product] = cart[product] - quantity
