"""`channels: all`: a message and a decision of its own for each channel that may be used."""

from __future__ import annotations

from typing import Any, Final

from retarget.engine.policy import Cap, QuietHours
from retarget.rules.model import Rule
from retarget.times import DAY, HOUR
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, a_consent, a_purchase, a_view, an_event

ALL: Final = ["email", "push", "sms", "whatsapp", "direct_mail", "onsite", "chat"]
THREE: Final = {"all": ["push", "onsite", "email"]}


def at_every_view(channels: object = THREE, **keys: object) -> Rule:
    """A rule that writes at every view, on all of these."""
    steps = [{"channels": channels, "template": "x"}]
    return a_rule(
        **{"rule": "every_view", "subject": "person", "event": "view", "description": "x", "steps": steps}
        | keys
    )


def told(shop: Shop) -> list[tuple[str, str]]:
    """Channel and reason, or `sent`, of each final decision."""
    return [(d["channel"], d["reason"] or "sent") for d in shop.final()]


def test_each_channel_has_a_message_and_a_decision_of_its_own() -> None:
    """In the order of the rule; ids differ and belong together."""
    shop = Shop([at_every_view()]).read(a_view())

    assert told(shop) == [("push", "sent"), ("onsite", "sent"), ("email", "sent")]
    assert [m["channel"] for m in shop.messages] == ["push", "onsite", "email"]
    assert len({d["decision_id"] for d in shop.final()}) == 3
    assert [(m["decision_id"], m["message_id"]) for m in shop.messages] == [
        (d["decision_id"], d["message_id"]) for d in shop.final()
    ]


def test_all_alone_means_every_channel_of_the_person() -> None:
    """Not the ad audiences, which have a word of their own, and not the shop's own people."""
    shop = Shop([at_every_view("all")], a_policy(caps_total=())).read(a_view())
    assert [channel for channel, _ in told(shop)] == ALL


def test_channels_that_cannot_be_used_leave_no_record() -> None:
    """No consent for one, no address for another: the rest is sent."""
    bounce = an_event("email_bounce", at=NOON - HOUR)
    shop = Shop([at_every_view()]).read(a_consent("denied", channel="push", at=NOON - HOUR), bounce, a_view())
    assert told(shop) == [("onsite", "sent")]


def test_when_none_can_be_used_one_record_says_why() -> None:
    """As for a choice of channels."""
    denied = Shop([at_every_view()]).read(a_consent("denied", at=NOON - HOUR), a_view())
    assert told(denied) == [("push", "no_consent")]
    anonymous = Shop([at_every_view({"all": ["push", "email"]})]).read(a_view(person="a1"))
    assert told(anonymous) == [("push", "unreachable")]


def test_every_channel_passes_all_gates_after_the_others() -> None:
    """The first two take the room in the caps; a paused channel stops itself alone."""
    shop = Shop([at_every_view()], a_policy(caps_total=(Cap(2, DAY),))).read(a_view())
    assert told(shop) == [("push", "sent"), ("onsite", "sent"), ("email", "cap")]
    paused = Shop([at_every_view()])
    paused.pauses = {"onsite": 1}
    assert told(paused.read(a_view())) == [("push", "sent"), ("onsite", "paused"), ("email", "sent")]


def test_again_counts_the_decision_not_its_messages() -> None:
    """All channels of one decision pass; the next decision is stopped on each of them."""
    shop = Shop([at_every_view(again="1d")]).read(a_view(), a_view(at=NOON + HOUR))
    assert told(shop) == [(c, r) for r in ("sent", "again") for c in ("push", "onsite", "email")]


def test_at_night_what_wakes_nobody_goes_and_the_rest_waits_each_by_itself() -> None:
    """Deferred and final records have the same id, a channel each, also through the store."""
    shop = Shop([at_every_view()], a_policy(quiet_hours=QuietHours(spread=0)))
    shop.between = shop.through_the_store
    shop.read(a_view(at=NOON + 10 * HOUR)).until(NOON + DAY)

    waited = {d["decision_id"]: d["channel"] for d in shop.decisions if d["outcome"] == "deferred"}
    final: dict[str, Any] = {d["decision_id"]: (d["channel"], d["reason"]) for d in shop.final()}
    assert sorted(waited.values()) == ["email", "push"]
    assert {channel for channel, reason in final.values() if reason is None} == {"push", "onsite", "email"}
    assert {key: final[key][0] for key in waited} == waited
    assert len(shop.messages) == 3


def test_an_ending_recalls_every_message() -> None:
    """Each where it went."""
    steps = [{"channels": {"all": ["push", "email"]}, "template": "x"}]
    rule = a_rule(rule="looked", subject="person", quiet={"after": "1h", "opens": ["view"]}, description="x",
                  unless=["purchase"], steps=steps)  # fmt: skip
    shop = Shop([rule]).read(a_view(at=NOON)).until(NOON + 2 * HOUR).read(a_purchase(at=NOON + 3 * HOUR))
    assert [m["channel"] for m in shop.sent(operation="recall")] == ["push", "email"]


def test_all_channels_say_the_same_code() -> None:
    """One person, one decision, one offer."""
    steps = [{"channels": THREE, "template": "x", "offer": {"percent": 10, "expires": "1d"}}]
    shop = Shop([at_every_view(steps=steps)]).read(a_view())
    assert len({m["offer"]["code"] for m in shop.messages}) == 1
    assert len(shop.messages) == 3


def test_a_variant_may_go_to_all_and_the_step_to_one() -> None:
    """Which of them is part of what is compared."""
    variants = {"one": {}, "all": {"channels": {"all": ["push", "email"]}}}
    steps = [{"channels": ["email"], "template": "x", "variants": variants}]
    people = [f"u{n}" for n in range(50)]
    shop = Shop([at_every_view(steps=steps)]).read(*(a_view(person=who) for who in people))
    by_arm: dict[str, set[int]] = {}
    for who in people:
        own = [m for m in shop.messages if m["person"] == who]
        by_arm.setdefault(own[0]["experiment"]["arm"], set()).add(len(own))
    assert by_arm == {"one": {1}, "all": {2}}
