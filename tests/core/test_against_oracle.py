"""The engine against the oracle, the slow second implementation that shares nothing with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import convert
from msgspec.structs import replace

from retarget.engine.policy import QuietHours
from retarget.rules.conditions import Formula, parse_formula
from retarget.rules.model import Ceiling, OverCap, Quiet, Rule, Variant
from retarget.rules.vocabulary import VOCABULARY
from retarget.times import DAY, HOUR, MINUTE, SECOND, parse_time
from streams.lanes.rollout import Rollout
from tests.core.shop import Key, Shop, a_policy, a_rule, key, shipped
from tests.factories import Event
from tests.oracle import Decision, decide
from tests.oracle import Variant as OracleVariant
from tests.oracle.histories import histories, random_history

_STEPS: Final = [{"channels": ["email"], "template": "a"}]
_ALL: Final = {"all": ["push", "email", "sms"]}
# Rules that do not ship, for what no shipped rule uses.
TRIED: Final = {
    rule.name: rule
    for rule in (
        a_rule(
            rule="chat_then_add", subject="person", steps=_STEPS,
            sequence={"first": "chat", "then": "add", "within": "2h", "without": "purchase"},
        ),
        a_rule(
            rule="before_the_day", subject="person", steps=_STEPS, date={"trait": "day", "before": "1d"},
        ),
        a_rule(
            rule="each_year", subject="person", steps=_STEPS,
            date={"trait": "day", "every": "year", "before": "1d"},
        ),
        a_rule(
            rule="two_of_a_kind", subject="person", again="1d", steps=_STEPS,
            quiet={"opens": "chat", "after": "1h",
                   "when": 'distinct("product", "view", category="c1", within=days(2)) >= 2'},
        ),
        a_rule(
            rule="wish_offer", subject="product", again="2d", quiet={"after": "1h", "opens": ["wishlist"]},
            unless=[{"event": name, "same": "subject"} for name in ("purchase", "wishlist_remove")],
            steps=[
                {"channels": _ALL, "template": "a", "offer": {"percent": 10, "expires": "80h"}},
                {"after": "24h", "channels": _ALL, "template": "b"},
                {"after": "72h", "channels": _ALL, "template": "c", "offer": "same"},
            ],
        ),
        a_rule(
            rule="wish_sets", subject="product", quiet={"after": "1h", "opens": ["wishlist"]},
            unless=[{"event": name, "same": "subject"} for name in ("purchase", "wishlist_remove")],
            steps=[{
                "channels": ["email"], "template": "a",
                "audience": {"add": "wished", "expires": "7d", "sets": {
                    "c1": 'product.category == "c1"', "dear": "product.price >= 500",
                    "cheap": "product.price < 20",
                }},
            }],
        ),
        a_rule(
            rule="two_clicks", subject="person", steps=_STEPS,
            count={"of": "custom:click", "at_least": 2, "within": "7d"},
        ),
        a_rule(
            rule="quiz_left", subject="person", steps=_STEPS,
            quiet={"opens": "custom:quiz", "after": "2h"}, unless=["custom:click"],
        ),
        a_rule(
            rule="two_queries", subject="person", again="1d", steps=_STEPS,
            count={"of": "search", "distinct": "query", "at_least": 2, "within": "2d"},
        ),
        a_rule(
            rule="two_orders", subject="product", again="1d", steps=_STEPS,
            count={"of": ["purchase", "refund"], "distinct": "order", "at_least": 2, "within": "30d"},
        ),
        a_rule(
            rule="spends", subject="category", again="1d", steps=_STEPS, event="purchase",
            **{"if": 'sum("worth", "purchase", within=days(7)) >= 30 '
                     'or sum("quantity", "purchase", within=days(7)) >= 3'},
        ),
        a_rule(
            rule="dear_checkout", subject="checkout", steps=_STEPS,
            quiet={"opens": ["checkout", "payment_failed"], "after": "1h"},
            **{"if": "checkout.value >= 100"},
        ),
        a_rule(
            rule="dear_series", subject="checkout", again="2d", unless=["refund"],
            quiet={"opens": ["checkout", "payment_failed"], "after": "1h"},
            steps=[
                {"channels": ["email"], "template": "a", "if": "checkout.value >= 100"},
                {"after": "4h", "channels": ["email"], "template": "b"},
                {"after": "1d", "channels": ["email"], "template": "c", "if": "checkout.value >= 100"},
            ],
        ),
        a_rule(
            rule="early_chats", subject="person", steps=_STEPS, quiet={"opens": "chat", "after": "2h"},
            unless=[{"when": "person.purchases >= 3"}],
        ),
        a_rule(
            rule="order_series", subject="order", again="never", event="purchase",
            unless=[{"event": name, "same": "subject"} for name in ("refund", "cancel")],
            steps=[
                {"channels": ["email"], "template": "a"},
                {"after": "12h", "channels": ["email"], "template": "b"},
                {"after": "3d", "channels": ["email"], "template": "c"},
            ],
        ),
        a_rule(
            rule="stage_series", subject="person",
            becomes={
                "bought": 'person.stage == "bought"', "carted": 'person.stage == "carted"',
                "viewed": 'person.stage in ["viewed", "considering"]',
            },
            steps=[
                {"audience": {"by_state": {name: name for name in ("bought", "carted", "viewed")}}},
                {"after": "1d", "channels": ["email"], "template": "a"},
            ],
        ),
        a_rule(
            rule="view_then_buy", subject="product", again="1d", steps=_STEPS,
            sequence={"first": "view", "then": "purchase", "within": "24h", "without": ["add", "remove"]},
        ),
    )
}  # fmt: skip
RULES: Final = sorted(rule.name for rule in shipped())
# (how far events are displaced, lateness), ms: in order, within lateness, and really late.
ORDERS: Final = (
    (0, 0),
    (0, 2 * SECOND),
    (2 * SECOND, 2 * SECOND),
    (60 * SECOND, 60 * SECOND),
    (60 * SECOND, 2 * SECOND),
    (60 * MINUTE, 0),
    (180 * MINUTE, 60 * SECOND),
)
SEEDS: Final = 25


def by_engine(
    events: list[Event], *, lateness: int = 0, rules: frozenset[str] | None = None, assume: bool = True
) -> list[Key]:
    """What the engine decides."""
    chosen = [*shipped(rules), *(TRIED[name] for name in sorted(rules or ()) if name in TRIED)]
    shop = Shop(chosen, a_policy(consent_assumed=assume), lateness=lateness)
    return [key(decision) for decision in shop.read(*events).end().final()]


def by_oracle(
    events: list[Event], *, lateness: int = 0, rules: frozenset[str] | None = None, assume: bool = True
) -> list[Key]:
    """What the oracle decides."""
    decisions = decide(
        events, lateness_ms=lateness, rules=set(rules) if rules is not None else None, assume_consent=assume
    )
    return keys_of(decisions)


def keys_of(decisions: list[Decision]) -> list[Key]:
    """What two programs must agree on."""
    return [
        (
            d.rule, d.person, d.subject_kind, d.subject_id, d.step, d.due, d.outcome, d.reason,
            d.channel if d.outcome == "sent" else "", d.operation,
        )
        for d in decisions
    ]  # fmt: skip


def counted(keys: list[Key]) -> Counter[Key]:
    """How often each decision was made; a person who was added to an audience twice leaves it once."""
    return Counter(k for k in keys if k[-1] != "remove") + Counter({k for k in keys if k[-1] == "remove"})


def difference(
    events: list[Event], *, lateness: int = 0, rules: frozenset[str] | None = None, assume: bool = True
) -> tuple[list[Key], list[Key]]:
    """What only the engine decided, and what only the oracle did."""
    ours = counted(by_engine(events, lateness=lateness, rules=rules, assume=assume))
    theirs = counted(by_oracle(events, lateness=lateness, rules=rules, assume=assume))
    return list((ours - theirs).elements()), list((theirs - ours).elements())


@pytest.mark.parametrize(("displaced", "lateness"), ORDERS)
@pytest.mark.parametrize("assume", [True, False], ids=["consent assumed", "consent asked for"])
@given(data=st.data())
@settings(max_examples=60)
def test_small_histories_are_decided_alike(
    *, displaced: int, lateness: int, assume: bool, data: st.DataObject
) -> None:
    """Any small history has the same decisions in both."""
    events = data.draw(histories(max_events=40, displaced_ms=displaced, listed=True))
    assert difference(events, lateness=lateness, assume=assume) == ([], [])


@pytest.mark.parametrize(("displaced", "lateness"), ORDERS)
@pytest.mark.parametrize("long_gaps", [True, False], ids=["a year", "some days"])
def test_long_histories_are_decided_alike(*, displaced: int, lateness: int, long_gaps: bool) -> None:
    """Long histories with caps, series and repeats have the same decisions in both."""
    for seed in range(SEEDS):
        events = random_history(seed, 200, displaced_ms=displaced, long_gaps=long_gaps, listed=True)
        for assume in (True, False):
            found = difference(events, lateness=lateness, assume=assume)
            assert found == ([], []), f"seed {seed}, consent assumed: {assume}"


@pytest.mark.parametrize("rule", [*RULES, *TRIED])
def test_each_rule_alone_is_decided_alike(rule: str) -> None:
    """A rule that runs alone has the same decisions in both; none hides behind the caps of the others."""
    for seed in range(SEEDS):
        for displaced, lateness in ORDERS:
            events = random_history(seed, 100, displaced_ms=displaced, long_gaps=seed % 2 == 0, listed=True)
            found = difference(events, lateness=lateness, rules=frozenset({rule}))
            assert found == ([], []), f"seed {seed}, displaced {displaced}, lateness {lateness}"


@pytest.mark.parametrize("assume", [True, False])
def test_audiences_of_product_sets_are_joined_and_left_alike(*, assume: bool) -> None:
    """Each addition and each removal is of the same audience, for the same product, at the same time."""
    rule, left = "wish_sets", 0
    for seed in range(SEEDS):
        for displaced, lateness in ORDERS:
            events = random_history(seed, 120, displaced_ms=displaced, long_gaps=seed % 2 == 0, listed=True)
            shop = Shop([TRIED[rule]], a_policy(consent_assumed=assume), lateness=lateness)
            told = [m for m in shop.read(*events).end().messages if m["channel"] == "ads"]
            ours = [
                (m["operation"], m["audience"], m["person"], m["subject"]["id"], parse_time(m["due"]))
                for m in told
            ]
            former = Counter(
                change
                for number, change in enumerate(ours)
                if _is_of_a_former_address(told[number], told[:number])
            )
            theirs = Counter(
                (d.operation, d.audience, d.person, d.subject_id, d.due)
                for d in decide(events, lateness_ms=lateness, rules={rule}, assume_consent=assume)
                if d.audience and d.outcome == "sent"
            )
            said = f"seed {seed}, displaced {displaced}, lateness {lateness}"
            more, less = Counter(ours) - theirs, theirs - Counter(ours)
            assert (more - former, less) == (Counter(), Counter()), said
            left += sum(change[0] == "remove" for change in ours)
    assert left or not assume


def _is_of_a_former_address(message: Mapping[str, Any], before: Sequence[Mapping[str, Any]]) -> bool:
    """Whether it takes somebody out by an address which whoever is there by another product has not.

    Of addresses the second implementation knows nothing.
    """
    who, product = (message["audience"], message["person"]), message["subject"]["id"]
    latest = {m["subject"]["id"]: m for m in before if (m["audience"], m["person"]) == who}
    kept = [m for other, m in latest.items() if m["operation"] == "add" and other != product]
    return message["operation"] == "remove" and any(m["to"] != message["to"] for m in kept)


@pytest.mark.parametrize(("displaced", "lateness"), ORDERS)
@pytest.mark.parametrize("over_cap", ["drop", "defer", "next_channel"])
@pytest.mark.parametrize("expires", [None, 48 * HOUR], ids=["lasting", "48 h"])
def test_caps_and_nights_are_decided_alike(
    *, over_cap: OverCap, expires: int | None, displaced: int, lateness: int
) -> None:
    """What caps and nights put off or move to another channel comes out alike, in every zone."""
    rules = [replace(rule, over_cap=over_cap, expires=expires) for rule in shipped()]
    changed: dict[str, Any] = {name: {"over_cap": over_cap, "expires": expires or 0} for name in RULES}
    policy = a_policy(quiet_hours=QuietHours(spread=0))
    put_off = 0
    for seed in range(10):
        events = random_history(seed, 200, displaced_ms=displaced, long_gaps=seed % 2 == 0, listed=True)
        shop = Shop(rules, policy, lateness=lateness).read(*events).end()
        ours = counted([key(decision) for decision in shop.final()])
        theirs = counted(keys_of(decide(events, lateness_ms=lateness, quiet_hours=True, changed=changed)))
        assert ours == theirs, f"seed {seed}: {ours - theirs}, {theirs - ours}"
        put_off += sum(d["outcome"] == "deferred" and d["reason"] == "cap" for d in shop.decisions)
    assert (put_off > 0) == (over_cap == "defer")


def slower(rule: Rule, times: int) -> Rule:
    """Waits longer, finishes what it opened, and the cart's has other steps."""
    trigger = rule.trigger
    if isinstance(trigger, Quiet):
        trigger = replace(trigger, after=times * trigger.after)
    steps = rule.steps
    if rule.name == "abandoned_cart" and times > 1:
        steps = (steps[0], replace(steps[1], after=times * 10 * HOUR))[: 4 - times]
    return replace(rule, trigger=trigger, steps=steps, on_change="finish", version=f"times {times}")


def slower_by_oracle(times: int) -> dict[str, dict[str, Any]]:
    """The same for the oracle, from the rules that ship."""
    fields: dict[str, dict[str, Any]] = {
        rule.name: {"wait": times * rule.trigger.after}
        for rule in shipped()
        if isinstance(rule.trigger, Quiet)
    }
    return fields | {
        "abandoned_cart": fields["abandoned_cart"] | {"steps": (0, times * 10 * HOUR)[: 4 - times]}
    }


@pytest.mark.parametrize(("displaced", "lateness"), ORDERS)
@pytest.mark.parametrize("sleeps", [True, False])
def test_what_is_finished_as_it_began_is_decided_alike(
    *, displaced: int, lateness: int, sleeps: bool
) -> None:
    """Two other versions of each rule in mid-stream; what is open goes on as it was."""
    versions = [[slower(rule, times) for rule in shipped()] for times in (1, 2, 3)]
    policy = a_policy(quiet_hours=QuietHours(enabled=sleeps, spread=0))
    by_version: Counter[str] = Counter()
    for seed in range(10):
        events = random_history(seed, 200, displaced_ms=displaced, long_gaps=seed % 2 == 0)
        parts = {0: events[:70], 1: events[70:140], 2: events[140:]}
        shop, decisions = Shop(versions[0], policy, lateness=lateness).read(*parts[0]), []
        for number in (1, 2):
            decisions += shop.final()
            former = Rollout(former=(*versions[0], *versions[1])[: number * len(versions[0])])
            shop = shop.under(versions[number], lateness, former).read(*parts[number])
        decisions += shop.end().final()
        published = {70: slower_by_oracle(2), 140: slower_by_oracle(3)}
        wanted = decide(events, lateness_ms=lateness, quiet_hours=sleeps, published=published)
        ours, theirs = counted([key(decision) for decision in decisions]), counted(keys_of(wanted))
        assert ours == theirs, f"seed {seed}: {ours - theirs}, {theirs - ours}"
        by_version.update(d["rule_version"] for d in shop.decisions)
    assert min(by_version[f"times {times}"] for times in (1, 2, 3)) > 0


def _told(decision: dict[str, Any]) -> tuple[str, str, float] | None:
    """The experiment of a decision on a message."""
    said = decision["experiment"]
    return (said["id"], said["arm"], said["propensity"]) if said else None


def _sends_by_engine(shop: Shop) -> Counter[tuple[Any, ...]]:
    """Each final decision on a message, when it leaves, and in which arm."""
    leaves = {m["message_id"]: m["not_before"] for m in shop.messages}
    return Counter(
        (*key(d), parse_time(at) if (at := leaves.get(d["message_id"])) else None, _told(d))
        for d in shop.final() if d["operation"] == "send"
    )  # fmt: skip


def _sends_by_oracle(decisions: list[Decision]) -> Counter[tuple[Any, ...]]:
    """The same of the oracle."""
    sends = [d for d in decisions if d.operation == "send"]
    told = [d.experiment and (*d.experiment[:2], round(d.experiment[2], 6)) for d in sends]
    return Counter(
        (*k, d.not_before, arm) for k, d, arm in zip(keys_of(sends), sends, told, strict=True)
    )  # fmt: skip


# A rate of a channel, a ceiling of each rule, and what of both must be seen: moments given away, ceilings.
LIMITS: Final = {
    "rates": ({"email": (1, 40 * MINUTE), "push": (2, HOUR)}, None),
    "a slow rate": ({"email": (1, 9 * HOUR)}, None),
    "ceilings": ({}, (2, DAY)),
    "both": ({"push": (3, HOUR), "email": (1, 2 * HOUR)}, (1, 6 * HOUR)),
}


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("over_cap", ["drop", "defer", "next_channel"])
@pytest.mark.parametrize("nights", [False, True], ids=["awake", "asleep at night"])
def test_variants_rates_and_ceilings_are_decided_alike(
    *, limits: str, over_cap: OverCap, nights: bool
) -> None:
    """Who gets which variant, when a rate lets it go and what a ceiling stops comes out alike."""
    rates, ceiling = LIMITS[limits]
    expires = 48 * HOUR if over_cap == "defer" else None
    variants = (
        OracleVariant("plain", 3),
        OracleVariant("loud", 1, ("push", "sms")),
        OracleVariant("post", 2, ("email",)),
    )
    tried = {v.name: convert({"weight": v.weight, "channels": v.channels}, Variant) for v in variants}
    rules = [
        replace(
            rule, over_cap=over_cap, expires=expires, ceiling=Ceiling(*ceiling) if ceiling else None,
            steps=tuple(replace(s, variants=tried) if s.channels else s for s in rule.steps),
        )
        for rule in shipped()
    ]  # fmt: skip
    same = {"over_cap": over_cap, "expires": expires or 0, "ceiling": ceiling, "variants": variants}
    changed: dict[str, Any] = dict.fromkeys(RULES, same)
    pace = {channel: window * 1000 // count for channel, (count, window) in rates.items()}
    policy = a_policy(quiet_hours=QuietHours(spread=0, enabled=nights), pace=pace)
    seen: Counter[str] = Counter()
    for seed in range(8):
        displaced, lateness = ORDERS[seed % len(ORDERS)]
        events = random_history(seed, 200, displaced_ms=displaced, long_gaps=seed % 2 == 0, listed=True)
        # A rate gives moments away by the clock; at the end of a replay that is behind what is foretold.
        end = max(event["time"] for event in events if event["type"] != "catalogue")
        events = [event for event in events if event["time"] <= end]
        shop = Shop(rules, policy, lateness=lateness).read(*events).end()
        ours = _sends_by_engine(shop)
        theirs = _sends_by_oracle(
            decide(events, lateness_ms=lateness, quiet_hours=nights, changed=changed, rates=rates)
        )
        assert ours == theirs, f"seed {seed}: {ours - theirs}, {theirs - ours}"
        seen.update(d["experiment"]["arm"] for d in shop.final() if d["experiment"])
        seen["ceiling"] += sum(d["reason"] == "ceiling" for d in shop.final())
        seen["held back"] += sum(
            bool(m["not_before"]) and m["not_before"] > m["decided_at"] for m in shop.messages
        )
    assert {"plain", "loud", "post"} <= set(seen)
    assert (seen["ceiling"] > 0, seen["held back"] > 0) == (ceiling is not None, bool(rates))


WORTHS: Final = {"cart": "cart.size", "product": "product.price", "person": "person.purchases"}


@pytest.mark.parametrize(("displaced", "lateness"), ORDERS)
@pytest.mark.parametrize("window", [10 * MINUTE, HOUR, 8 * HOUR])
@pytest.mark.parametrize("expires", [None, 2 * HOUR], ids=["lasting", "2 h"])
@pytest.mark.parametrize("sleeps", [True, False], ids=["nights", "days"])
def test_what_competes_is_decided_alike(
    *, window: int, expires: int | None, sleeps: bool, displaced: int, lateness: int
) -> None:
    """Of what comes within a window, both send the same."""
    rules = [replace(rule, value=a_value(rule), expires=expires) for rule in shipped()]
    changed: dict[str, Any] = {
        rule.name: {"value": WORTHS.get(rule.subject, ""), "expires": expires or 0} for rule in rules
    }
    policy = a_policy(quiet_hours=QuietHours(enabled=sleeps, spread=0), arbitration=window)
    outbid = 0
    for seed in range(5):
        events = random_history(seed, 200, displaced_ms=displaced, long_gaps=seed % 2 == 0, listed=True)
        shop = Shop(rules, policy, lateness=lateness).read(*events).end()
        ours = counted([key(decision) for decision in shop.final()])
        decided = decide(events, lateness_ms=lateness, quiet_hours=sleeps, changed=changed, window_ms=window)
        theirs = counted(keys_of(decided))
        assert ours == theirs, f"seed {seed}: {ours - theirs}, {theirs - ours}"
        outbid += sum(d["reason"] == "outbid" for d in shop.final())
    assert outbid > 0


def a_value(rule: Rule) -> Formula | None:
    """What the rule is worth, by its subject."""
    found = parse_formula(WORTHS[rule.subject], VOCABULARY, rule.subject) if rule.subject in WORTHS else None
    assert not isinstance(found, tuple), found
    return found


@pytest.mark.parametrize(("displaced", "lateness"), ORDERS)
@pytest.mark.parametrize("silence", [HOUR, 3 * HOUR])
def test_silences_are_decided_alike(*, silence: int, displaced: int, lateness: int) -> None:
    """Guarded rules pause in both while nobody buys."""
    reasons: Counter[str] = Counter()
    for seed in range(16):
        events = random_history(seed, 200, displaced_ms=displaced, long_gaps=seed % 2 == 0, listed=True)
        shop = Shop(policy=a_policy(purchase_silence=silence), lateness=lateness).read(*events).end()
        ours = counted([key(decision) for decision in shop.final()])
        theirs = counted(keys_of(decide(events, lateness_ms=lateness, silence_ms=silence)))
        assert ours == theirs, f"seed {seed}: {ours - theirs}, {theirs - ours}"
        reasons.update(str(d["reason"]) for d in shop.final("abandoned_cart"))
    assert reasons["paused"]
    assert reasons["None"]


@pytest.mark.parametrize(("displaced", "lateness"), ORDERS)
def test_codes_are_given_and_repeated_alike(*, displaced: int, lateness: int) -> None:
    """The same messages have a code, until the same moment, and the same ones share one."""
    rules = [*shipped(frozenset({"chat_follow_up"})), TRIED["wish_offer"]]
    policy = a_policy(quiet_hours=QuietHours(spread=0))
    shared = 0
    for seed in range(10):
        events = random_history(seed, 200, displaced_ms=displaced, long_gaps=seed % 2 == 0, listed=True)
        shop = Shop(rules, policy, lateness=lateness).read(*events).end()
        theirs = decide(
            events, lateness_ms=lateness, quiet_hours=True, rules={"chat_follow_up", "wish_offer"}
        )
        given = [(key(d), d["offer"]) for d in shop.final() if d["offer"] and d["offer"]["given"]]
        ours = {(k, parse_time(offer["expires_at"])): offer["code"] for k, offer in given}
        their = {(k, d.good_until): d.code for k, d in zip(keys_of(theirs), theirs, strict=True) if d.code}
        assert _together(ours) == _together(their), f"seed {seed}"
        shared += len(ours) - len(set(ours.values()))
    assert shared > 0


def _together(codes: Mapping[Any, Hashable]) -> set[frozenset[Hashable]]:
    """The messages of each code."""
    found: dict[Hashable, set[Hashable]] = {}
    for message, code in codes.items():
        found.setdefault(code, set()).add(message)
    return {frozenset(one) for one in found.values()}


@pytest.mark.parametrize("rule", TRIED)
def test_the_histories_reach_the_rules_that_do_not_ship(rule: str) -> None:
    """What is compared happens."""
    only = frozenset({rule})
    found = [by_engine(random_history(seed, 200, listed=True), rules=only) for seed in range(SEEDS)]
    assert sum(map(len, found)) >= 5


def test_the_histories_reach_every_rule_and_gate() -> None:
    """The comparison compares something: each rule sends, and each gate of these histories stops somebody."""
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        for displaced, lateness in ORDERS:
            events = random_history(
                seed, 200, displaced_ms=displaced, long_gaps=seed % 2 == 0, listed=displaced > 0
            )
            keys = by_engine(events, lateness=lateness, assume=seed % 3 > 0)
            seen.update(k[7] or k[0] for k in keys)
            seen.update(k[-1] for k in keys)
    wanted = {
        *RULES,
        "again",
        "closed",
        "no_consent",
        "unreachable",
        "stale",
        "cap",
        "recall",
        "remove",
        "add",
    }
    assert wanted <= set(seen), wanted - set(seen)
