"""A decision in words: who, what happened, why they hear of it, or why they do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from retarget.messages import Decision, GateRecord, Message
from retarget.times import DAY, HOUR, MINUTE, SECOND, parse_time
from retarget.touchpoints import Item, Touchpoint
from streams.demo.witness import Witness

_THE_MOODS: Final = (
    "Amber,Bold,Brisk,Calm,Candid,Clever,Cosy,Crisp,Dapper,Deft,Eager,Early,Fair,Fleet,Fond,Gentle,Glad,"
    "Golden,Grand,Hardy,Honest,Jolly,Keen,Kind,Lively,Lucky,Mellow,Merry,Mild,Neat,Nimble,Noble,Patient,"
    "Plucky,Polite,Proud,Quick,Quiet,Rapid,Ruby,Sage,Serene,Silver,Sly,Snug,Spry,Sunny,Swift,Tidy,Witty"
)
_THE_ANIMALS: Final = (
    "Badger,Beaver,Bison,Crane,Cuckoo,Curlew,Dipper,Dormouse,Eagle,Egret,Falcon,Ferret,Finch,Gecko,Gull,"
    "Hare,Hedgehog,Heron,Ibex,Jackdaw,Kestrel,Kite,Lark,Linnet,Lynx,Magpie,Marten,Mole,Newt,Otter,Owl,"
    "Panda,Pike,Plover,Puffin,Quail,Rabbit,Raven,Robin,Salmon,Seal,Shrew,Sparrow,Stork,Swan,Tern,Thrush,"
    "Turtle,Vole,Wren"
)
_MOODS, _ANIMALS = _THE_MOODS.split(","), _THE_ANIMALS.split(",")
_NAMED: Final = 2
_STOPPED: Final = {
    "closed": "has settled it meanwhile",
    "no_consent": "no consent",
    "unreachable": "no address or token",
    "paused": "paused",
    "stale": "too late for it",
    "outbid": "something better to say",
    "ceiling": "ceiling of the rule",
    "control": "control group",
}


class Names:
    """A pseudonym for everybody, in the order in which they first appear."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def of(self, person: str) -> str:
        """The same name for the same person, and no other's."""
        return self._known.setdefault(person, _name(len(self._known)))


def _name(number: int) -> str:
    lap, place = divmod(number, len(_MOODS) * len(_ANIMALS))
    row, mood = divmod(place, len(_MOODS))
    animal = _ANIMALS[(7 * mood + row) % len(_ANIMALS)]
    return f"{_MOODS[mood]} {animal}" + (f" {lap + 1}" if lap else "")


def reason(message: Message, evidence: Sequence[Touchpoint], witness: Witness) -> str:
    """What the person did that led to this message, with figures."""
    due = parse_time(message.due)
    if not evidence:
        return message.why
    last = evidence[-1]
    since = span(due - last.time)
    if not last.person and (news := _news(message, last, witness)):
        return news
    match message.subject.kind:
        case "cart":
            said = f"left {_left(message, due, witness)} in the cart {since} ago"
        case "checkout" if last.type == "payment_failed":
            said = f"payment for {_goods(last)} failed {since} ago"
        case "checkout":
            said = f"stopped at the checkout {since} ago, with {_goods(last)}"
        case "order":
            said = f"{_order(message)}: {_goods(last)}"
        case "category":
            said = (
                f"compared {_distinct(evidence)} products in {message.subject.id} within {_within(evidence)}"
            )
        case _:
            said = _about_looking(message, evidence, since)
    return said


def _news(message: Message, change: Touchpoint, witness: Witness) -> str:
    """What the shop has changed, against what the person saw last or what there was before."""
    product = message.subject.id
    item = next((item for item in change.items if item.product_id == product), None)
    if item is None:
        return ""
    if change.type == "price_change" and item.price is not None:
        seen = next((one.get("price") for one in message.products if one["product_id"] == product), None)
        if seen is None or seen == item.price:
            return f"costs {item.price:,.2f} now"
        return f"price {'fell' if item.price < seen else 'rose'} from {seen:,.2f} to {item.price:,.2f}"
    if item.quantity is None:
        return ""
    back = witness.stock_before(product, change.time) == 0
    return "back in stock" if back else f"only {item.quantity:g} left"


def _left(message: Message, due: int, witness: Witness) -> str:
    held = witness.pieces(message.person, message.subject.id, due)
    return _worth([(held[one["product_id"]] or 1, one.get("price", 0)) for one in message.products])


def _about_looking(message: Message, evidence: Sequence[Touchpoint], since: str) -> str:
    last = evidence[-1]
    if message.subject.kind == "product" and last.type == "view":
        return f"looked at it {len(evidence)} times within {_within(evidence)}"
    if last.type == "view":
        return f"looked at {_counted(_distinct(evidence), 'product')} and left {since} ago"
    if last.type == "wishlist":
        return f"has wished for it for {since}"
    said = ", ".join(f"{number} {kind}" for kind, number in Counter(one.type for one in evidence).items())
    return f"{said}, the last one {since} ago"


def products(message: Message, evidence: Sequence[Touchpoint]) -> str:
    """The names of the first products, and how many more there are; about a person those of the evidence."""
    names = _names(message, evidence)
    more = f" +{len(names) - _NAMED}" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _names(message: Message, evidence: Sequence[Touchpoint]) -> list[str]:
    if not message.products and evidence:
        return [item.name or item.product_id or "" for item in evidence[-1].items]
    seen = {item.product_id for event in evidence for item in event.items}
    about_all = message.subject.kind != "person" or not seen
    return [_product(one) for one in message.products if about_all or one["product_id"] in seen]


def _product(said: dict[str, Any]) -> str:
    return str(said.get("name") or said["product_id"])


def stopped(decision: Decision) -> str:
    """Which gate stopped it, and on what."""
    gate = decision.gates[-1] if decision.gates else GateRecord("")
    match decision.reason:
        case "again" if isinstance(gate.value, int):
            return f"heard of it {span(parse_time(decision.due) - gate.value)} ago"
        case "quiet_hours":
            return f"quiet hours there, waits until {clock(parse_time(decision.release or decision.due))}"
        case "outbid" if decision.outcome == "deferred":
            return f"compared with others at {clock(parse_time(decision.release or decision.due))}"
        case "cap" if isinstance(gate.limit, dict):
            return _cap(gate.limit)
        case "no_consent":
            return f"no consent for {decision.channel or 'any channel'}"
        case _:
            return _STOPPED.get(decision.reason or "", decision.reason or decision.outcome)


def _cap(limit: dict[str, Any]) -> str:
    return f"has had {limit['count']} in {span(limit['within_ms'])}, which is enough"


def clock(ms: int) -> str:
    """The time of the day."""
    minutes = ms % DAY // MINUTE
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def span(ms: int) -> str:
    """A duration as people say it."""
    for unit, name, least in ((DAY, "d", 2), (HOUR, "h", 2), (MINUTE, "min", 1)):
        if ms >= least * unit:
            return f"{ms // unit} {name}"
    return f"{max(ms, 0) // SECOND} s"


def _within(evidence: Sequence[Touchpoint]) -> str:
    return span(evidence[-1].time - evidence[0].time)


def _distinct(evidence: Sequence[Touchpoint]) -> int:
    return len({item.product_id for event in evidence for item in event.items})


def _order(message: Message) -> str:
    number = message.context.get("purchases")
    return "ordered for the first time" if number == 1 else f"order number {number}"


def _goods(event: Touchpoint) -> str:
    return _worth([_piece(item) for item in event.items])


def _piece(item: Item) -> tuple[int, float]:
    return int(item.quantity or 1), item.price or 0


def _worth(pieces: Sequence[tuple[int, float]]) -> str:
    number = sum(count for count, _ in pieces)
    return f"{_counted(number, 'thing')} worth {sum(count * price for count, price in pieces):,.2f}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
