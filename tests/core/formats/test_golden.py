"""From a message as it stands in its topic, to the request as the provider documents it, file by file."""

from __future__ import annotations

import pytest

from tests.core.formats.cases import FORMATTERS, GOLDEN, formatted, golden


@pytest.mark.parametrize("name", golden("fcm"))
def test_fcm(name: str) -> None:
    """Firebase documentation: "REST Resource: projects.messages" and "About FCM messages" (HTTP v1)."""
    expected, found = formatted(name)

    assert found == expected


@pytest.mark.parametrize("name", golden("apns"))
def test_apns(name: str) -> None:
    """Apple Developer: "Sending notification requests to APNs", "Generating a remote notification"."""
    expected, found = formatted(name)

    assert found == expected


@pytest.mark.parametrize("name", golden("webpush"))
def test_web_push(name: str) -> None:
    """RFC 8030, sections 5.2 (TTL), 5.3 (Urgency), 5.4 (Topic); RFC 8291, section 4: the room in a body."""
    expected, found = formatted(name)

    assert found == expected


@pytest.mark.parametrize("name", golden("meta"))
def test_meta(name: str) -> None:
    """Meta for Developers: "Customer File Custom Audiences", its part "Hashing and Normalizing Data"."""
    expected, found = formatted(name)

    assert found == expected


@pytest.mark.parametrize("name", golden("google"))
def test_google(name: str) -> None:
    """Google Data Manager API: "Method: audienceMembers.ingest", "... .remove", "Format user data"."""
    expected, found = formatted(name)

    assert found == expected


@pytest.mark.parametrize("name", golden("sms"))
def test_sms(name: str) -> None:
    """3GPP TS 23.038 (alphabets) and TS 23.040 (concatenation); ITU-T E.164 for the number."""
    expected, found = formatted(name)

    assert found == expected


@pytest.mark.parametrize("name", golden("whatsapp"))
def test_whatsapp(name: str) -> None:
    """WhatsApp Business Platform, Cloud API: "Send message templates"."""
    expected, found = formatted(name)

    assert found == expected


@pytest.mark.parametrize("name", golden("letters"))
def test_letters(name: str) -> None:
    """Deutsche Post, Print-Mailing API: a campaign declares variables, each recipient has their values."""
    expected, found = formatted(name)

    assert found == expected


@pytest.mark.parametrize("name", golden("onsite") + golden("chat"))
def test_the_shops_own_services(name: str) -> None:
    """docs/formats.md: what the site and the chat take."""
    expected, found = formatted(name)

    assert found == expected


def test_every_file_is_looked_at() -> None:
    """Each provider has files, each file a provider."""
    assert {path.stem.partition("-")[0] for path in GOLDEN.iterdir()} == FORMATTERS.keys()
