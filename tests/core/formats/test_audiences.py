"""Audiences: what of a person is hashed, in which form for which platform."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from retarget.errors import Unsendable
from retarget.formats import google, meta
from retarget.formats.identities import MOST_PEOPLE
from retarget.formats.phones import e164
from tests.core.formats.cases import a_message

ADD = a_message("ads", operation="add", audience="considering")
PERSON: dict[str, Any] = {
    "email": " Ann.O+shop@GMail.com",
    "phone": "+1 (555) 010-0199",
    "first_name": "Ánn-Marie",
    "last_name": "O'Hara Jr.",
    "address": {"city": "St. Louis", "state": "Missouri", "zip": "63101-1234", "country": "US"},
}


def sha(text: str) -> str:
    """What a platform has for the same text."""
    return sha256(text.encode()).hexdigest()


def row(**to: object) -> dict[str, str]:
    """The person's hashes for Meta, by name."""
    return dict(zip(meta.SCHEMA, meta.row_of(ADD, to), strict=True))


def identifiers(**to: object) -> dict[str, Any]:
    """The person's identifiers for Google, by name."""
    found = google.member_of(ADD, to)["userData"]["userIdentifiers"]
    return {key: value for one in found for key, value in one.items()}


def test_one_number_has_two_hashes() -> None:
    """Meta ("Hashing and Normalizing Data"): digits; Google ("Format user data"): E.164 with its plus."""
    assert row(phone="+49 170 1234567")["PHONE"] == sha("491701234567")
    assert identifiers(phone="+49 170 1234567")["phoneNumber"] == sha("+491701234567")


def test_a_mail_address_is_trimmed_and_in_small_letters() -> None:
    """Only Google takes dots and plus parts out, and only at Gmail ("Format user data")."""
    mail = " Ann.O+shop@GMail.com "

    assert row(email=mail)["EMAIL"] == sha("ann.o+shop@gmail.com")
    assert identifiers(email=mail)["emailAddress"] == sha("anno@gmail.com")
    assert identifiers(email=" Ann.O+x@Example.com")["emailAddress"] == sha("ann.o+x@example.com")


def test_an_address_of_dots_is_nobodys() -> None:
    """Else everybody who has typed one would be the same person to Google."""
    with pytest.raises(Unsendable, match="bad_address"):
        identifiers(email="..+x@gmail.com")
    assert identifiers(email="..@gmail.com", phone="+49 170 1234567").keys() == {"phoneNumber"}


def test_names_and_places_are_in_the_form_of_each() -> None:
    """Meta: no punctuation, accents stay; Google: as written in small letters, country and code unhashed."""
    found, address = row(**PERSON), identifiers(**PERSON)["address"]

    assert [found[key] for key in ("FN", "LN", "CT", "ST", "ZIP", "COUNTRY")] == [
        sha(text) for text in ("ánnmarie", "ohara jr", "stlouis", "missouri", "63101", "us")
    ]
    assert address == {
        "givenName": sha("ánn-marie"),
        "familyName": sha("o'hara jr."),
        "regionCode": "US",
        "postalCode": "63101-1234",
    }


def test_an_accent_is_one_however_it_is_written() -> None:
    """A letter with an accent, and a letter followed by one, are one name."""
    assert row(email="a@b.c", first_name="Zoe\u0308") == row(email="a@b.c", first_name="Zo\u00eb")


def test_what_is_not_known_has_no_hash() -> None:
    """The hash of nothing would be the same for everybody."""
    found = row(email="a@b.c")

    assert {key for key, value in found.items() if value} == {"EMAIL"}
    assert identifiers(email="a@b.c").keys() == {"emailAddress"}


@pytest.mark.parametrize(
    ("told", "number"),
    [
        ("+49 (0)170 / 123-45 67", "+491701234567"),
        ("+1.555.010.0199", "+15550100199"),
        ("0170 1234567", None),
        ("0049 170 1234567", None),
        ("+49170", None),
        ("+4917012345678901", None),
        ("+0 170 1234567", None),
        ("+\u0664\u0669 170 1234567", None),
        (491701234567, None),
    ],
)
def test_a_number_names_its_country_or_is_none(told: object, number: str | None) -> None:
    """A country is never guessed: a number that is another person's abroad would be somebody else's hash."""
    assert e164(told) == number


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ({}, "no_address"),
        ({"push_token": "t"}, "no_address"),
        ({"email": "nobody", "phone": "0170 1234567"}, "bad_address"),
        ({"email": ["a@b.c"]}, "bad_address"),
    ],
)
def test_who_cannot_be_known_is_refused(to: dict[str, Any], reason: str) -> None:
    """With one reason."""
    with pytest.raises(Unsendable, match=reason):
        meta.row_of(ADD, to)


@pytest.mark.parametrize(
    ("basis", "said"),
    [
        ("consent", "CONSENT_GRANTED"),
        ("double_opt_in", "CONSENT_GRANTED"),
        ("assumed", "CONSENT_DENIED"),
        ("contract", "CONSENT_DENIED"),
        ("legitimate_interest", "CONSENT_DENIED"),
        (None, "CONSENT_DENIED"),
    ],
)
def test_only_a_persons_own_yes_is_consent(basis: str | None, said: str) -> None:
    """Google's consent values say what the person said, not what a setting assumes."""
    message = a_message("ads", operation="add", legal_basis=basis)

    assert google.consent_of(message) == {"adUserData": said, "adPersonalization": said}


def test_calls_have_ten_thousand_people_at_most() -> None:
    """Everybody is in one, in order; without people there is no call."""
    rows = [[str(number)] for number in range(2 * MOST_PEOPLE + 1)]
    calls = list(meta.requests_of(rows, "add", "1"))

    assert [len(call.body["payload"]["data"]) for call in calls] == [MOST_PEOPLE, MOST_PEOPLE, 1]
    assert [one for call in calls for one in call.body["payload"]["data"]] == rows
    assert MOST_PEOPLE == 10_000
    assert list(google.requests_of([], "add", {})) == []


def test_who_leaves_is_removed_by_the_same_hashes() -> None:
    """By the other method of the same address at Meta, by the other address at Google."""
    leave = a_message("ads", operation="remove", audience="considering", recall_of="0f" * 16)
    away = next(iter(meta.requests_of([meta.row_of(leave, PERSON)], "remove", "1")))
    out = next(iter(google.requests_of([google.member_of(leave, PERSON)], "remove", {})))

    assert away.method == "DELETE"
    assert away.body["payload"]["data"] == [meta.row_of(ADD, PERSON)]
    assert out.path.endswith(":remove")
    assert out.body["audienceMembers"] == [{"userData": google.member_of(ADD, PERSON)["userData"]}]
