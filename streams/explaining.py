"""A person's timeline: what is known, what was decided and why, and what is waiting until when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from retarget.journeys import stages
from retarget.journeys.model import SHADOW_MARK, Given, Journey, Offer
from retarget.journeys.repeats import remembered
from retarget.personal.salutation import UNKNOWN_LOCALE
from retarget.rules.model import NEVER
from retarget.rules.tallies import kind_of, width
from retarget.times import format_duration, format_time, parse_time

Said = Mapping[str, Any]  # a decision as it stands in its topic
_RANKS: Final = {"event": 0, "consent": 1, "decision": 2}


# Products of the catalogue that are told of.
_OFFERED: Final = 5


class Entry(NamedTuple):
    """One line of a timeline; `details` are lines below it, `rule` is empty where no rule is behind it."""

    at: int
    kind: str
    text: str
    rule: str = ""
    details: tuple[str, ...] = ()


class Timeline(NamedTuple):
    """What happened, by time, and what is still to come, by time."""

    happened: list[Entry]
    waiting: list[Entry]


def timeline(
    journey: Journey | None, wait: int | None, decisions: Iterable[Said], rule: str | None = None
) -> Timeline:
    """Everything about one person; with `rule` only what that rule did and waits for, and the events."""
    happened = [*_decided(decisions)]
    waiting: list[Entry] = []
    if journey is not None:
        happened += [*_events(journey), *_consents(journey), *_sends(journey), *_memberships(journey)]
        waiting += [*_episodes(journey), *_deferred(journey), *_expiries(journey)]
    if wait is not None:
        waiting.append(Entry(wait, "wait", "the lane looks at this person again"))
    wanted = {rule, ""} if rule else {entry.rule for entry in (*happened, *waiting)}
    return Timeline(
        sorted((entry for entry in happened if entry.rule in wanted), key=_order),
        sorted((entry for entry in waiting if entry.rule in wanted), key=_order),
    )


def _order(entry: Entry) -> tuple[int, int]:
    """By time; what came of an event stands after it."""
    return entry.at, _RANKS.get(entry.kind, 3)


def rules_in(journey: Journey | None, decisions: Iterable[Said]) -> set[str]:
    """The rules that this person has had to do with."""
    found = {str(said["rule"]) for said in decisions}
    if journey is not None:
        found |= {*journey.episodes, *journey.marks, *(send.rule for send in journey.sends)}
    return {name.partition(SHADOW_MARK)[0] for name in found}


def summary(journey: Journey) -> list[str]:
    """Who it is, in a few lines."""
    known = f"known as user {journey.user_id or '-'}, anonymous {journey.anonymous_id or '-'}"
    carts = [
        f"cart {cart or '(default)'}: {', '.join(lines)}" for cart, lines in journey.carts.items() if lines
    ]
    if journey.moved:
        return [f"is {person} since {format_time(since)}" for since, person in journey.moved]
    return [
        known + (", erased" if journey.erased else ""),
        *(f"also {name}, last said {format_time(at)}" for name, at in sorted(journey.joined.items())),
        f"{_many(len(journey.products), 'product')}, {_many(journey.order_count, 'order')}{_stage(journey)}",
        f"last seen {_time(journey.last)}",
        *carts,
        *(f"no {purpose} until {format_time(until)}" for purpose, until in journey.pauses.items()),
        *([f"bounced: {', '.join(journey.bounced)}"] if journey.bounced else []),
        *(f"experiment {name}: {arm}" for name, arm in journey.arms.items()),
        *map(_held, journey.offers),
        *_offered(journey),
    ]


def _stage(journey: Journey) -> str:
    """Their stage, if they have one; it is worked out for rules that ask for it alone."""
    return f", stage {stages.STAGES[journey.stage]}" if journey.stage != stages.NONE else ""


def _offered(journey: Journey) -> Iterator[str]:
    """What the catalogue says of the products they saw last, where it says anything."""
    known = [(name, one) for name, one in journey.products.items() if one.offer not in (None, Offer())]
    for name, one in sorted(known, key=lambda pair: -pair[1].seen)[:_OFFERED]:
        offer, seen = one.offer or Offer(), one.price
        said = [f"product {name} costs {_short(offer.price)} now, stock {_short(offer.stock)}"]
        said += [f"margin {offer.margin:g}"] if offer.margin is not None else []
        said += [f"seen at {seen:g}"] if seen is not None and seen != offer.price else []
        said += [f"for sale until {_time(offer.expires)}"] if offer.expires else []
        yield ", ".join(said)


def _short(number: float | None) -> str:
    return "-" if number is None else f"{number:g}"


def _held(given: Given) -> str:
    worth = f"{given.percent:g} %" if given.percent is not None else f"{given.amount:g} {given.currency}"
    return f"offer {worth} of {given.rule}: {given.code} until {_time(given.expires)}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def plain(entry: Entry) -> dict[str, Any]:
    """The entry as JSON has it."""
    return {**entry._asdict(), "at": format_time(entry.at), "details": list(entry.details)}


def _events(journey: Journey) -> Iterator[Entry]:
    types, moments = _types(journey), _moments(journey)
    for event_id, time in remembered(journey):
        said = types.get(event_id) or moments.get(time) or "its type is not kept"
        yield Entry(time, "event", f"{event_id}  {said}")


def _moments(journey: Journey) -> dict[int, str]:
    """What the products tell about events, by time."""
    said: dict[int, str] = {}
    for name, product in journey.products.items():
        said |= {
            product.wished: f"wishlist of product {name}",
            product.carted: f"add of product {name}",
            product.bought: f"purchase of product {name}",
        }
    return said


def _types(journey: Journey) -> dict[str, str]:
    """What the tallies tell about the types of events, by id: the narrowest tally knows best."""
    types: dict[str, str] = {}
    for name in sorted(journey.tallies, key=lambda name: name.count("+"), reverse=True):
        for subject, tally in journey.tallies[name].items():
            kinds, about = name.partition(".")[0], kind_of(name)
            said = kinds if about == "person" else f"{kinds} of {about} {subject}"
            types |= dict.fromkeys(tally[-2 :: -width(name)], said)
    return types


def _consents(journey: Journey) -> Iterator[Entry]:
    for key, word in journey.consents.items():
        said = "granted" if word.granted else "denied"
        yield Entry(word.at, "consent", f"{' '.join(key.split('|'))}: {said}")


def _sends(journey: Journey) -> Iterator[Entry]:
    for send in journey.sends:
        recall = f", recallable until {format_time(send.until)}" if send.until else ""
        text = f"{send.channel}  {send.rule} step {send.step}{_about(send.subject, journey)}{recall}"
        yield Entry(send.at, "send", text, send.rule, (f"message {send.message_id}",))


def _memberships(journey: Journey) -> Iterator[Entry]:
    for one in journey.audiences:
        text = f"in {one.audience}  {one.rule}{_about(one.subject, journey)}"
        yield Entry(one.since, "audience", text, one.rule)


def _episodes(journey: Journey) -> Iterator[Entry]:
    for rule, by_subject in journey.episodes.items():
        for subject, episode in by_subject.items():
            name, _, trial = rule.partition(SHADOW_MARK)
            version = trial or episode.version
            under = f", {'in shadow ' if trial else ''}under version {version}" if version else ""
            about = f"{_about(subject, journey)}, open since {_time(episode.opened)}"
            evidence = ", ".join(episode.evidence)
            details = (f"evidence {evidence}",) if evidence else ()
            yield Entry(episode.due, "episode", f"{name} step {episode.step}{about}{under}", name, details)


def _deferred(journey: Journey) -> Iterator[Entry]:
    for one in journey.deferred:
        closed = ", closed meanwhile" if one.closed else ""
        name, _, trial = one.rule.partition(SHADOW_MARK)
        under = f", in shadow under version {trial}" if trial else ""
        text = f"{name} step {one.step}{_about(one.subject, journey)}, due {_time(one.due)}{closed}{under}"
        yield Entry(one.release, "deferred", text, name)


def _expiries(journey: Journey) -> Iterator[Entry]:
    for one in journey.audiences:
        if one.expires:
            yield Entry(one.expires, "audience", f"leaves {one.audience}  {one.rule}", one.rule)


def _decided(decisions: Iterable[Said]) -> Iterator[Entry]:
    for said in decisions:
        outcome = said["outcome"] + (f" by {said['reason']}" if said.get("reason") else "")
        channel = f" on {said['channel']}" if said.get("channel") else ""
        operation = said.get("operation", "send")
        subject = said["subject"]
        about = (
            "" if subject["id"] == said["person"] else f", {subject['kind']} {subject['id'] or '(default)'}"
        )
        shadow = " in shadow" if said.get("shadow") else ""
        text = f"{operation} {outcome}{channel}{shadow}  {said['rule']} step {said['step']}{about}"
        yield Entry(parse_time(said["decided_at"]), "decision", text, said["rule"], tuple(_details(said)))


def _details(said: Said) -> Iterator[str]:
    if said["due"] != said["decided_at"]:
        yield f"due {said['due']}"
    if said.get("release"):
        yield f"released {said['release']}"
    for gate in said.get("gates", ()):
        mark = "  <- stopped here" if gate["gate"] == said.get("reason") else ""
        yield gate_line(gate["gate"], gate.get("value"), gate.get("limit")) + mark
    if said.get("offer"):
        yield _offer(said["offer"])
    if UNKNOWN_LOCALE in said.get("lacks", ()):
        yield "language     the shop's: the person's locale is unknown"
    if said.get("evidence"):
        yield f"evidence {', '.join(said['evidence'])}"
    if said.get("message_id"):
        yield f"message {said['message_id']}"


def _offer(said: Said) -> str:
    """Whether the message made its offer, and what the margin's guard saw."""
    seen = ""
    if said.get("least_margin") is not None:
        margin, discount = (_money(said.get(key)) for key in ("margin", "discount"))
        seen = f"; margin {margin}, discount {discount}, at least {_money(said['least_margin'])} must be left"
    if said["given"]:
        return f"offer        {said['code']} until {said['expires_at']}{seen}"
    reason = {"margin": "too little would be left", "margin_unknown": "what would be left is unknown",
              "no_code": "no code was left", "open_code": "another code is still good"}  # fmt: skip
    return f"offer        none: {reason.get(said['withheld'], 'its code has expired')}{seen}"


def _money(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def gate_line(gate: str, value: object, limit: object) -> str:  # noqa: C901 - one line for each gate
    """One gate with the value it saw and its limit, in words where they are times and durations."""
    match gate, value, limit:
        case "closed", bool(), _:
            said = "an ending event is known" if value else "no ending event is known"
        case "again", _, int():
            last = f"last {format_time(value)}" if isinstance(value, int) else "not within that time"
            said = f"once in {_often(limit)}; {last}" if limit else "every time"
        case "paused", list(), _:
            said = f"paused: {_listed(value)}" if value else "nothing is paused"
        case "no_consent", list(), _:
            said = f"{limit} allowed on {_listed(value)}" if value else f"{limit} allowed on no channel"
        case "unreachable", list(), _:
            said = f"reachable by {_listed(value)}" if value else "no address is known"
        case "stale", int(), int():
            said = f"{format_duration(max(value, 0))} late, at most {format_duration(limit)}"
        case "stale", int(), dict():
            said = f"{format_duration(value)} after its time, worthless from {_expiry(limit)} on"
        case "quiet_hours", int(), _:
            until = f"night until {format_time(limit)}" if isinstance(limit, int) else "day"
            said = f"{until}, seen at {format_time(value)}"
        case "cap", _, dict():
            said = f"{value} of {_cap(limit)}"
        case "outbid", _, dict():
            said = _compared(value, limit)
        case "cap", _, list():
            said = _below(value, limit)
        case _:
            said = f"{_json(value)}" + ("" if limit is None else f", limit {_json(limit)}")
    return f"{gate:<12} {said}"


def _listed(values: Sequence[object]) -> str:
    return ", ".join(map(str, values))


def _often(limit: int) -> str:
    return "a lifetime" if limit == NEVER else format_duration(limit)


def _below(counts: object, caps: Sequence[Mapping[str, Any]]) -> str:
    """The caps that have room; records from before they told it do not say how much."""
    if not isinstance(counts, list):
        return f"below {', '.join(map(_cap, caps)) or 'no cap'}"
    return ", ".join(f"{n} of {_cap(cap)}" for n, cap in zip(counts, caps, strict=False)) or "no cap"


def _expiry(limit: Mapping[str, Any]) -> str:
    return format_duration(limit["expires_ms"])


def _cap(cap: Mapping[str, Any]) -> str:
    return f"{cap['count']} in {format_duration(cap['within_ms'])} ({cap['scope']})"


def _compared(rival: object, own: Mapping[str, Any]) -> str:
    """What it is worth beside the best that came within the window."""
    known = (
        f"{rival['rule']} step {rival['step']} with {_bid(rival)}" if isinstance(rival, dict) else "nothing"
    )
    return f"{_bid(own)}; more has {known} within {format_duration(own['within_ms'])}"


def _bid(bid: Mapping[str, Any]) -> str:
    return f"value {bid['value']:g}, priority {bid['priority']}"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _about(subject: str, journey: Journey) -> str:
    return "" if subject in ("", journey.person) else f", {subject}"


def _time(ms: int) -> str:
    return format_time(ms) if ms else "never"


def of_person(decisions: Iterable[Said], names: Iterable[str]) -> Sequence[Said]:
    """The decisions about one of these ids of a person."""
    wanted = {*names}
    return [one for one in decisions if one["person"] in wanted]
