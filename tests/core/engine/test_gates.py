"""The gates: consent, reach, caps, hold-out, kill switches and lateness; what each lets pass and stops."""

from __future__ import annotations

from itertools import pairwise

import pytest

from retarget.engine.policy import Cap
from retarget.rules.model import Rule
from retarget.times import DAY, HOUR, MINUTE, parse_time
from tests.core.shop import Shop, a_policy, a_rule, shipped
from tests.factories import NOON, Event, a_cart, a_consent, a_profile, a_purchase, a_view, an_add, an_event

EMAIL_FIRST = ["email", "push"]
HOME = {"street": "Am Tor 1", "postal_code": "53111", "city": "Bonn"}


def at_every_view(*channels: str, **keys: object) -> Rule:
    """A rule that writes at every view, on the first of the channels."""
    steps = [{"channels": list(channels or ("email",)), "template": "x"}]
    return a_rule(
        **{"rule": "every_view", "subject": "person", "event": "view", "description": "x", "steps": steps}
        | keys
    )


def outcome_of(rule: Rule, *events: Event, **policy: object) -> str:
    """What becomes of a view after these events: the channel it was sent on, else the reason it was not."""
    shop = Shop([rule], a_policy(**policy)).read(*events, a_view(at=NOON)).end()
    (decision,) = shop.final()
    return str(decision["channel"] if decision["outcome"] == "sent" else decision["reason"])


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ([], "no_consent"),
        ([("granted", {})], "email"),
        ([("granted", {"channel": "email"})], "email"),
        ([("granted", {"channel": "push"})], "push"),
        ([("granted", {"purpose": "service"})], "no_consent"),
        ([("granted", {"purpose": "marketing", "channel": "email"})], "email"),
        ([("granted", {}), ("denied", {"channel": "email"})], "push"),
        ([("denied", {"channel": "email"}), ("granted", {})], "email"),
        ([("granted", {"channel": "email"}), ("revoked", {})], "no_consent"),
        ([("granted", {}), ("perhaps", {})], "no_consent"),
    ],
)
def test_the_latest_word_that_covers_channel_and_purpose_decides(
    said: list[tuple[str, dict[str, str]]], outcome: str
) -> None:
    """A later word overrides an earlier one, wide or narrow; what it leaves out it covers whole."""
    words = [
        a_consent(word, at=NOON - HOUR + place, **narrowed) for place, (word, narrowed) in enumerate(said)
    ]
    assert outcome_of(at_every_view(*EMAIL_FIRST), *words, consent_assumed=False) == outcome


def test_consent_goes_by_the_time_of_the_word_not_of_its_arrival() -> None:
    """A denial that arrives late does not override a later grant, nor lends its place to another word."""
    granted = a_consent("granted", at=NOON - MINUTE, channel="email")
    late = a_consent("denied", at=NOON - HOUR, channel="email")
    assert outcome_of(at_every_view(), granted, late, consent_assumed=False) == "email"
    denied_everywhere = a_consent("denied", at=NOON - MINUTE)
    found = outcome_of(at_every_view(), granted, denied_everywhere, late, consent_assumed=False)
    assert found == "no_consent", "of two words of one time the one that arrived last decides"


def test_an_unknown_persons_consent_is_what_is_assumed_and_a_word_overrides_it() -> None:
    """`consent.assume` counts only as long as the person has said nothing."""
    assert outcome_of(at_every_view(), consent_assumed=True) == "email"
    no = a_consent("denied", at=NOON - HOUR)
    assert outcome_of(at_every_view(), no, consent_assumed=True) == "no_consent"


@pytest.mark.parametrize("kind", ["unsubscribe", "email_spam"])
def test_unsubscribing_denies_marketing_by_email_only(kind: str) -> None:
    """Whoever unsubscribes gets no marketing mail; other channels and service mail still reach them."""
    left = an_event(kind, at=NOON - HOUR)
    assert outcome_of(at_every_view(*EMAIL_FIRST), left) == "push"
    assert outcome_of(at_every_view(purpose="service"), left) == "email"


@pytest.mark.parametrize("purpose", ["service", "transactional"])
def test_service_needs_no_consent(purpose: str) -> None:
    """Only marketing asks."""
    assert outcome_of(at_every_view(purpose=purpose), consent_assumed=False) == "email"


@pytest.mark.parametrize(
    ("person", "traits", "channels", "outcome"),
    [
        ("u1", {}, EMAIL_FIRST, "email"),
        ("a1", {}, EMAIL_FIRST, "unreachable"),
        ("a1", {"email": "a@example.org"}, EMAIL_FIRST, "email"),
        ("a1", {"push_tokens": ["t"]}, EMAIL_FIRST, "push"),
        ("a1", {"email": ""}, EMAIL_FIRST, "unreachable"),
        ("a1", {"phone": "1"}, ["sms"], "sms"),
        ("a1", {}, ["onsite"], "onsite"),
        ("a1", {}, ["email", "chat"], "chat"),
        ("u1", {}, ["direct_mail"], "direct_mail"),
        ("a1", {"address": HOME}, ["direct_mail"], "direct_mail"),
        ("a1", {"postal_address": HOME}, ["direct_mail"], "direct_mail"),
        ("a1", {"address": {"city": "x"}, "postal_address": HOME}, ["direct_mail"], "direct_mail"),
        ("a1", {"address": {"city": "x"}}, ["direct_mail"], "unreachable"),
        ("a1", {"address": "Am Tor 1, Bonn"}, ["direct_mail"], "unreachable"),
        ("a1", {"address": HOME | {"undeliverable": True}}, ["direct_mail"], "unreachable"),
        ("a1", {"address": {"city": "x"}, "email": "a@b.example"}, ["direct_mail", "email"], "email"),
    ],
)
def test_the_first_reachable_channel_sends(
    person: str, traits: dict[str, object], channels: list[str], outcome: str
) -> None:
    """Anonymous people need an address of their own; known ones are looked up by the channel service."""
    profile = a_profile(at=NOON - HOUR, person=person, **traits)
    shop = Shop([at_every_view(*channels)], a_policy()).read(profile, a_view(at=NOON, person=person))
    (decision,) = shop.final()
    assert (decision["reason"] if decision["outcome"] == "suppressed" else decision["channel"]) == outcome


def test_an_address_that_is_not_external_must_be_known() -> None:
    """A channel without a look-up reaches a known person only at an address."""
    rule = at_every_view("email")
    assert outcome_of(rule, external=frozenset()) == "unreachable"
    known = a_profile(at=NOON - HOUR, email="u@example.org")
    assert outcome_of(rule, known, external=frozenset()) == "email"


def test_a_bounced_address_is_none_until_a_new_one_is_told() -> None:
    """After a bounce the channel is out, and back with the next address."""
    bounced = an_event("email_bounce", at=NOON - HOUR)
    assert outcome_of(at_every_view(*EMAIL_FIRST), bounced) == "push"
    renewed = a_profile(at=NOON - MINUTE, email="new@example.org")
    assert outcome_of(at_every_view(*EMAIL_FIRST), bounced, renewed) == "email"


def reasons(shop: Shop) -> list[str]:
    """Of each final decision `sent` or the reason it was not."""
    return [decision.get("reason") or decision["outcome"] for decision in shop.final()]


def test_the_default_caps_are_three_in_a_day_and_eight_in_a_week() -> None:
    """A window of length W at t is (t - W, t]: exactly W later a send no longer counts."""
    rule = at_every_view()
    day = [a_view(at=NOON + n) for n in range(4)] + [a_view(at=NOON + DAY - 1), a_view(at=NOON + DAY)]
    assert reasons(Shop([rule]).read(*day)) == ["sent", "sent", "sent", "cap", "cap", "sent"]
    week = [a_view(at=NOON + n * 9 * HOUR) for n in range(9)]
    after = [a_view(at=NOON + 7 * DAY - 1), a_view(at=NOON + 7 * DAY)]
    assert reasons(Shop([rule]).read(*week, *after)) == ["sent"] * 8 + ["cap", "cap", "sent"]


def test_service_is_neither_capped_nor_counted() -> None:
    """Service messages pass a full cap, and fill none."""
    rules = [
        at_every_view(purpose="service", priority=90),
        at_every_view(rule="marketing", priority=10),
    ]
    views = [a_view(at=NOON + n) for n in range(4)]
    shop = Shop(rules).read(*views)
    assert reasons(shop) == ["sent", "sent"] * 3 + ["sent", "cap"]


def test_caps_count_by_channel_and_tag_too() -> None:
    """A cap on a channel or a tag counts what was sent on it, and names itself in the record."""
    rule = at_every_view(tags=["nice"])
    for scope in ("email", "nice", "marketing"):
        shop = Shop([rule], a_policy(caps={scope: (Cap(1, HOUR),)})).read(
            a_view(at=NOON), a_view(at=NOON + 1)
        )
        assert reasons(shop) == ["sent", "cap"]
        gate = next(gate for gate in shop.final()[1]["gates"] if gate["gate"] == "cap")
        assert (gate["value"], gate["limit"]["scope"], gate["limit"]["count"]) == (1, scope, 1)
    other = Shop([rule], a_policy(caps={"push": (Cap(1, HOUR),)})).read(a_view(at=NOON), a_view(at=NOON + 1))
    assert reasons(other) == ["sent", "sent"]


def test_a_held_out_share_gets_a_record_and_no_message() -> None:
    """About the share of people is in the control group, always the same ones, and each has a record."""
    rule, people = at_every_view(hold_out=0.3), [f"u{n}" for n in range(1000)]

    def held_out(start: int) -> set[str]:
        shop = Shop([rule]).read(*(a_view(at=start + n, person=who) for n, who in enumerate(people)))
        held = {d["person"] for d in shop.final() if d["outcome"] == "control"}
        assert {m["person"] for m in shop.messages} == set(people) - held
        return held

    first = held_out(NOON)
    assert 250 < len(first) < 350
    assert held_out(NOON + 90 * DAY) == first


def test_a_message_names_the_arm_and_its_propensity() -> None:
    """Whoever measures the effect reads from the message how likely it was sent."""
    shop = Shop([at_every_view(hold_out=0.25)]).read(*(a_view(at=NOON, person=f"u{n}") for n in range(20)))
    assert {m["experiment"]["propensity"] for m in shop.messages} == {0.75}
    everywhere = Shop([at_every_view()], a_policy(hold_out=0.5))
    everywhere.read(*(a_view(at=NOON, person=f"u{n}") for n in range(40)))
    assert {m["experiment"]["id"] for m in everywhere.messages} == {"global"}
    assert 8 < len(everywhere.messages) < 32


def test_the_arm_is_kept_when_the_share_changes() -> None:
    """Who was held out at the first candidate stays held out."""
    shop = Shop([at_every_view(hold_out=1)]).read(a_view(at=NOON))
    journeys = shop.lane.journeys
    later = Shop([at_every_view(hold_out=0.000001)])
    later.lane.journeys = journeys
    assert reasons(later.read(a_view(at=NOON + DAY))) == ["control"]


@pytest.mark.parametrize(
    ("pause", "outcome"),
    [("all", "paused"), ("every_view", "paused"), ("email", "push"), ("sms", "email"), ("other", "email")],
)
def test_kill_switches_stop_rules_and_channels(pause: str, outcome: str) -> None:
    """A paused channel leaves the choice to the others; everything or the rule stops it whole."""
    shop = Shop([at_every_view(*EMAIL_FIRST)])
    shop.pauses = {pause: 0}
    (decision,) = shop.read(a_view()).final()
    assert (decision["reason"] if decision["outcome"] == "suppressed" else decision["channel"]) == outcome


def test_with_every_channel_paused_the_step_is() -> None:
    """Nothing is left to send on."""
    shop = Shop([at_every_view(*EMAIL_FIRST)])
    shop.pauses = {"email": 0, "push": 0}
    assert reasons(shop.read(a_view())) == ["paused"]


@pytest.mark.parametrize(("behind", "reason"), [(HOUR, "sent"), (HOUR + 1, "stale")])
def test_stale_is_more_than_max_delay(behind: int, reason: str) -> None:
    """Exactly an hour after the due is not too late."""
    shop = Shop([at_every_view()], now=NOON + behind).read(a_view(at=NOON))
    assert reasons(shop) == [reason]


def test_a_message_that_would_be_worthless_is_not_sent() -> None:
    """Past its own expiry a message is stale though it is within the delay."""
    rule = at_every_view(expires="10m")
    late = Shop([rule], lateness=0).read(a_view(at=NOON, person="u2"), a_view(at=NOON - 10 * MINUTE))
    assert reasons(late) == ["sent", "stale"]
    assert late.messages[0]["expires_at"] == "2024-03-01T12:10:00.000Z"


def test_again_counts_from_the_last_that_passed_it() -> None:
    """What `again` stops does not put off the next; `t - last == again` passes."""
    rule = at_every_view(again="24h")
    views = [a_view(at=NOON + hours * HOUR) for hours in (0, 23, 24, 47, 48)]
    assert reasons(Shop([rule]).read(*views)) == ["sent", "again", "sent", "again", "sent"]


def test_again_counts_what_a_later_gate_stopped() -> None:
    """Suppressed for want of consent counts; the person is not asked again at every event."""
    rule = at_every_view(again="24h")
    shop = Shop([rule], a_policy(consent_assumed=False))
    shop.read(a_view(at=NOON), a_consent("granted", at=NOON + 1), a_view(at=NOON + 2))
    assert reasons(shop) == ["no_consent", "again"]


def test_never_again_means_never() -> None:
    """A rule that is decided once per subject stays so for years, across the journey's tidying."""
    rule = at_every_view(again="never")
    views = [a_view(at=NOON + n * 100 * DAY) for n in range(12)]
    assert reasons(Shop([rule]).read(*views)) == ["sent"] + ["again"] * 11


def test_decisions_of_a_person_are_in_order_of_time() -> None:
    """What one person gets comes in the order in which it was decided."""
    events = [
        an_add(at=NOON),
        a_cart("p1", at=NOON + HOUR),
        a_purchase("p1", at=NOON + 2 * HOUR, order_id="o"),
    ]
    shop = Shop().read(*events, a_view(at=NOON + 20 * DAY)).end()
    times = [parse_time(decision["decided_at"]) for decision in shop.decisions]
    assert all(earlier <= later for earlier, later in pairwise(times))


def test_a_rule_spares_a_person_all_marketing_for_a_while() -> None:
    """From the complaint until exactly a week later, by its own decision, whether its message left or not."""
    steps = [{"channels": ["onsite"], "template": "a"}]
    rules = [
        *shipped(frozenset({"service_care"})),
        a_rule(rule="hello", subject="person", event="page", steps=steps),
        a_rule(rule="told", subject="person", event="page", purpose="service", steps=steps),
    ]
    shop = Shop(rules, a_policy(caps_total=()))
    shop.pauses = {"service_care": 0}
    week = NOON + 7 * DAY
    shop.read(
        an_event("chat", at=NOON, sentiment=-1),
        *(an_event("page", at=at) for at in (NOON, week - 1, week)),
        an_event("page", at=week, person="u2"),
    )
    assert shop.outcomes("service_care") == [(1, "paused")]
    assert [reason for _, reason in shop.outcomes("hello")] == ["paused", "paused", "sent", "sent"]
    assert [reason for _, reason in shop.outcomes("told")] == ["sent"] * 4
    gate = next(gate for gate in shop.final("hello")[0]["gates"] if gate["gate"] == "paused")
    assert gate["value"] == ["marketing for the person until 2024-03-08T12:00:00.000Z"]
