"""Google Customer Match by the Data Manager API: members with their consent, in and out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from retarget.errors import Unsendable
from retarget.formats import reading
from retarget.formats.identities import Identity, hashed, identity_of, portions
from retarget.formats.request import Request
from retarget.messages import Message, Operation

_GMAIL: Final = ("gmail.com", "googlemail.com")
# Grounds that are the person's own yes. Whatever else a word of consent is based on is none to Google.
CONSENTS: Final = frozenset({"consent", "explicit_consent", "opt_in", "double_opt_in"})


def member_of(message: Message, to: Mapping[str, object]) -> dict[str, Any]:
    """An AudienceMember, of an `add` with its consent. Raises Unsendable."""
    reading.only(message, "add", "remove")
    member: dict[str, Any] = {"userData": {"userIdentifiers": _identifiers(identity_of(message, to))}}
    return member | {"consent": consent_of(message)} if message.operation == "add" else member


def requests_of(
    members: Iterable[dict[str, Any]], operation: Operation, destination: Mapping[str, Any]
) -> Iterable[Request]:
    """Calls of at most 10,000 members to `ingest` or `remove`. Raises Unsendable.

    `destination` is the API's own object: `operatingAccount` and `productDestinationId`.
    """
    if operation not in ("add", "remove"):
        raise Unsendable("bad_message", f"an audience knows no {operation!r}")
    for portion in portions(members):
        body = {"destinations": [{**destination}], "audienceMembers": list(portion), "encoding": "HEX"}
        if operation == "remove":
            yield Request(path="/v1/audienceMembers:remove", body=body)
        else:
            accepted = {"customerMatchTermsOfServiceStatus": "ACCEPTED"}
            yield Request(path="/v1/audienceMembers:ingest", body=body | {"termsOfService": accepted})


def consent_of(message: Message) -> dict[str, str]:
    """Denied wherever the ground of the message is not the person's own consent."""
    said = "CONSENT_GRANTED" if message.legal_basis in CONSENTS else "CONSENT_DENIED"
    return {"adUserData": said, "adPersonalization": said}


def normal_mail(email: str) -> str:
    """Lower case without spaces; at Gmail, which ignores them, without dots and what follows a plus."""
    name, _, host = "".join(email.lower().split()).rpartition("@")
    return f"{name.partition('+')[0].replace('.', '')}@{host}" if host in _GMAIL else f"{name}@{host}"


def _identifiers(who: Identity) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if who.email and not (mail := normal_mail(who.email)).startswith("@"):
        found.append({"emailAddress": hashed(mail)})
    if who.phone:
        found.append({"phoneNumber": hashed(who.phone)})
    if who.first_name and who.last_name and who.country and who.postal_code:
        found.append({"address": _address(who)})
    if not found:
        raise Unsendable("bad_address", "nothing is left of the e-mail address but dots")
    return found


def _address(who: Identity) -> dict[str, str]:
    """Country and postal code are sent as they are: the platform asks for them unhashed."""
    return {
        "givenName": hashed(who.first_name.lower()),
        "familyName": hashed(who.last_name.lower()),
        "regionCode": who.country.upper(),
        "postalCode": who.postal_code,
    }
