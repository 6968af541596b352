"""Composing: the message of a candidate that passed, with all that a channel service needs to say it well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from retarget.engine import about, audiences, background, ceilings, experiments, offers, pacing, reach
from retarget.engine.candidate import Candidate
from retarget.engine.gates import Verdict
from retarget.engine.moment import Moment
from retarget.engine.policy import Policy
from retarget.engine.quiet_hours import zone_name
from retarget.engine.shops import nearest
from retarget.journeys import spending
from retarget.journeys.facts import BY_CATALOGUE, STORE
from retarget.journeys.model import Consent, Journey, Membership, Product, Send
from retarget.journeys.traits import word
from retarget.messages import Message, at_or_none
from retarget.personal import links
from retarget.personal.salutation import UNKNOWN_LOCALE, is_spoken, salutation
from retarget.personal.senders import sender_of
from retarget.rules.model import Rule
from retarget.times import DAY, format_time

# A message without an expiry of its own can be called back for this long.
RECALLABLE: Final = 7 * DAY
# What a message shows of where the person was last.
_PLACE: Final = ("city", "region", "country", "postal_code", "lat", "lon", "latitude", "longitude")


def send(journey: Journey, candidate: Candidate, verdict: Verdict, moment: Moment) -> str:
    """Emit the message or audience change and remember it in the journey; its id."""
    if candidate.removes:
        return audiences.take_out(journey, candidate, moment)
    channel, policy = verdict.channel or "", moment.policy
    leaves = (
        None if candidate.audience is not None else pacing.take(moment.paced, policy, channel, candidate.now)
    )
    message = _message(journey, candidate, channel, moment)
    message.not_before = at_or_none(leaves)
    if candidate.audience is None and candidate.step.offer is not None:
        message.offer = offers.of(journey, candidate, max(candidate.at, leaves or 0), moment)
    if candidate.audience is None and policy.seal is not None:
        message.purl = _purl(journey, message, policy, policy.seal, max(candidate.at, leaves or 0))
    if candidate.audience is None:
        candidate.lacks = _lacks(journey, candidate)
        for reason in candidate.lacks:
            moment.counts["lacking", candidate.rule.name, reason] += 1
    moment.emit_message(message)
    if candidate.audience is not None:
        _join(journey, candidate, message)
    else:
        ceilings.count(moment.risen, candidate.rule, candidate.at)
        journey.sends.append(_send(candidate, channel, message, leaves or 0))
    return message.message_id


def _lacks(journey: Journey, candidate: Candidate) -> list[str]:
    """Why the message says less than it could: it is better than none, and somebody may mend it."""
    offer = candidate.offer
    found = [offer.withheld] if offer is not None and offer.withheld is not None else []
    return found if is_spoken(journey.traits.get("locale")) else [*found, UNKNOWN_LOCALE]


def _message(journey: Journey, candidate: Candidate, channel: str, moment: Moment) -> Message:
    rule, policy = candidate.rule, moment.policy
    message_id = candidate.message_id(journey.person, channel)
    said = reach.consent(journey, rule.purpose, channel)
    return Message(
        message_id=message_id,
        decision_id=candidate.decision_id(journey.person),
        operation=candidate.operation,
        channel=channel,
        rule=rule.name,
        rule_version=rule.version,
        step=candidate.number,
        person=journey.person,
        user_id=journey.user_id,
        anonymous_id=journey.anonymous_id,
        subject=candidate.subject,
        audience=candidate.audience_name or None,
        products=[_product(journey, candidate, p, policy) for p in products_of(journey, candidate)],
        to=reach.address(journey, channel, policy) or {},
        template=candidate.step.template or None,
        context=_context(journey, candidate, channel, policy)
        | background.of(journey, candidate, channel, said),
        purpose=rule.purpose,
        legal_basis=_legal_basis(rule, said),
        due=format_time(candidate.due),
        decided_at=format_time(candidate.now),
        expires_at=at_or_none(expires_at(candidate)),
        priority=rule.priority,
        experiment=experiments.told(journey, rule, candidate.arm, policy),
        locale=word(journey, "locale"),
        timezone=zone_name(journey, policy),
        why=rule.why or rule.description,
        trace=candidate.trace,
    )


def _purl(journey: Journey, message: Message, policy: Policy, seal: Callable[[bytes], str], at: int) -> str:
    """The message's own link, from `at` on; it leads to the products that the message shows."""
    link = links.link_of(
        message.message_id,
        journey.person,
        known=journey.user_id == journey.person,
        channel=message.channel,
        products=[product["product_id"] for product in message.products],
        at=at,
        lasts=policy.purl_lasts,
    )
    return policy.purl_base + seal(links.encode(link))


def _legal_basis(rule: Rule, said: Consent | None) -> str:
    if rule.purpose != "marketing":
        return "contract"
    if said is None:
        return "assumed"
    return said.basis or "consent"


def expires_at(candidate: Candidate) -> int | None:
    """When the message is worth nothing any more."""
    lasts = candidate.audience.expires if candidate.audience is not None else candidate.rule.expires
    return candidate.due + lasts if lasts else None


def products_of(journey: Journey, candidate: Candidate) -> list[str]:
    """The products a message shows: the step's own choice, else the subject's."""
    shown = candidate.of_set
    if shown is None:
        shown = audiences.products_of(journey, candidate)
    return shown[: about.PRODUCTS_SHOWN]


def _product(journey: Journey, candidate: Candidate, product_id: str, policy: Policy) -> dict[str, Any]:
    """What is known of a product, without the fields of which nothing is known."""
    shown: dict[str, Any] = {"product_id": product_id}
    if candidate.rule.subject == "cart":
        line = journey.carts.get(candidate.subject_id, {}).get(product_id)
        if line is not None:
            shown["quantity"] = line.quantity
    found = journey.products.get(product_id)
    if found is None:
        return shown
    if found.name is not None:
        shown["name"] = found.name
    if found.category is not None:
        shown["category"] = found.category
    shown |= _price(found, policy)
    if found.url is not None:
        shown["url"] = found.url
    if found.image_url is not None:
        shown["image_url"] = found.image_url
    if found.personalisation:
        shown["personalisation"] = found.personalisation
    return shown


def _price(found: Product, policy: Policy) -> dict[str, Any]:
    """The price that was told last, by the person's events or the catalogue: when, and in which currency."""
    price, since, offer = found.price, found.priced if found.priced > 0 else found.seen, found.offer
    by_catalogue = found.priced == BY_CATALOGUE
    if offer is not None and offer.price is not None and (price is None or offer.said > since):
        price, since, by_catalogue = offer.price, offer.said, True
    if price is None:
        return {}
    shown: dict[str, Any] = {"price": price, "price_as_of": at_or_none(since)}
    currency = (policy.catalogue_currency if by_catalogue else "") or found.currency
    return shown | {"currency": currency} if currency else shown


def _context(journey: Journey, candidate: Candidate, channel: str, policy: Policy) -> dict[str, Any]:
    """How to greet the person, by what they have told and no guess; who writes; what they have bought."""
    traits = journey.traits
    greeted = salutation(traits, policy.language, formal=policy.formal)
    of_order = journey.orders.get(candidate.subject_id) if candidate.rule.subject == "order" else None
    context: dict[str, Any] = {
        "salutation": greeted,
        "purchases": journey.order_count,
        "purchase_ordinal": of_order or journey.order_count,
        "lifetime_value": spending.lifetime(journey),
    }
    if (persona := word(journey, "persona")) is not None:
        context["persona"] = persona
    sender = sender_of(journey.person, journey.sender, policy.senders, policy.sender_seed)
    if sender is not None:
        journey.sender = sender.id
        context["sender"] = sender.shown()
    if channel == "email":
        context["list_unsubscribe"] = candidate.rule.purpose == "marketing"
    if STORE in traits:
        context["store"] = traits[STORE]
    if journey.geo is not None and (place := {key: journey.geo[key] for key in _PLACE if key in journey.geo}):
        context["location"] = place
    if policy.shops and (shop := nearest(policy.shops, journey.geo)):
        context["nearest_store"] = shop
    return context


def _send(candidate: Candidate, channel: str, message: Message, leaves: int) -> Send:
    rule = candidate.rule
    return Send(
        at=candidate.at,
        rule=rule.name,
        subject=candidate.subject_id,
        episode=candidate.episode,
        step=candidate.number,
        channel=channel,
        purpose=rule.purpose,
        tags=list(rule.tags),
        message_id=message.message_id,
        decision_id=message.decision_id,
        until=expires_at(candidate) or candidate.at + RECALLABLE,
        leaves=leaves if leaves > candidate.now else 0,
        bid=candidate.bid,
        about=candidate.about,
    )


def _join(journey: Journey, candidate: Candidate, message: Message) -> None:
    lasts = candidate.audience.expires if candidate.audience is not None else None
    joined = Membership(
        audience=candidate.audience_name,
        rule=candidate.rule.name,
        subject=candidate.subject_id,
        episode=candidate.episode,
        since=candidate.at,
        expires=candidate.due + lasts if lasts else 0,
        message_id=message.message_id,
        about=candidate.about,
        to=audiences.noted(message.to),
    )
    audiences.join(journey, joined)
