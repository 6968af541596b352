"""Texts: short messages and where they are cut, templates of others, letters, the site and the chat."""

from __future__ import annotations

from typing import Any

import pytest

from retarget.errors import Unsendable
from retarget.formats import chat, letters, onsite, sms, whatsapp
from retarget.formats.letters import Campaign, next_cut_off
from retarget.formats.segments import BASIC, EXTENSION, segments_of
from retarget.formats.variables import variables_of
from retarget.formats.whatsapp import Template, language_of
from retarget.times import DAY, HOUR, format_time
from tests.core.formats.cases import a_message
from tests.factories import MIDNIGHT, NOON

PHONE = {"phone": "+491701234567"}
ADDRESS = {"address": {"street": "Hauptstr. 5", "postal_code": "10115", "city": "Berlin"}}
CAMPAIGN = Campaign(name="brochure")


@pytest.mark.parametrize(
    ("text", "encoding", "sizes"),
    [
        ("", "GSM-7", [0]),
        ("a" * 160, "GSM-7", [160]),
        ("a" * 161, "GSM-7", [153, 8]),
        ("€" * 80, "GSM-7", [80]),
        ("€" * 81, "GSM-7", [76, 5]),
        ("a" * 152 + "€" + "a" * 8, "GSM-7", [152, 9]),
        ("ж" * 70, "UCS-2", [70]),
        ("ж" * 71, "UCS-2", [67, 4]),
        ("🛒" * 35, "UCS-2", [35]),
        ("🛒" * 36, "UCS-2", [33, 3]),
        ("a" * 66 + "🛒" + "a" * 4, "UCS-2", [66, 5]),
    ],
)
def test_segments(text: str, encoding: str, sizes: list[int]) -> None:
    """3GPP TS 23.038 and 23.040: 160 or 153 septets, 70 or 67 units; what takes two is never torn."""
    found = segments_of(text)

    assert found.encoding == encoding
    assert [len(part) for part in found.parts] == sizes
    assert "".join(found.parts) == text


def test_the_alphabet_is_that_of_the_standard() -> None:
    """3GPP TS 23.038, 6.2.1: 128 places, of which one is the escape; the extension has ten."""
    assert len(BASIC) == 127
    assert len(EXTENSION) == 10
    assert not BASIC & EXTENSION


def a_short(text: str = "Hello", sender: str = "SHOP", stop: str = "STOP to 12345", **fields: Any) -> str:  # noqa: ANN401
    """The text as it leaves."""
    message = a_message("sms", **fields)
    return str(sms.request_of(message, PHONE, text, sender=sender, stop=stop).body["text"])


def test_marketing_says_how_to_stop_it_once() -> None:
    """Whoever wrote it into the template has it once; a parcel's message needs none."""
    assert a_short() == "Hello\nSTOP to 12345"
    assert a_short("Hello. STOP to 12345") == "Hello. STOP to 12345"
    assert a_short(purpose="transactional") == "Hello"
    with pytest.raises(Unsendable, match="missing_variable"):
        a_short(stop="")


def test_typographic_signs_do_not_triple_the_price() -> None:
    """They are typed plainly where that makes GSM-7 of the text, and left alone where it does not."""
    assert a_short("It’s “here” – now…", purpose="service") == 'It\'s "here" - now...'  # noqa: RUF001
    assert a_short("It’s 🛒", purpose="service") == "It’s 🛒"  # noqa: RUF001


@pytest.mark.parametrize("sender", ["", "TWELVELETTERS", "ÄÖÜ", "12", "123456789", "0170 1234567", "A\nB"])
def test_a_sender_that_no_network_takes_is_refused(sender: str) -> None:
    """Up to 11 letters and digits, a short code, or a number."""
    with pytest.raises(Unsendable, match="bad_message"):
        a_short(sender=sender)


def test_a_text_of_more_than_ten_messages_is_refused() -> None:
    """It would cost more than it can bring."""
    assert a_short("a" * 1_516)
    with pytest.raises(Unsendable, match="too_large"):
        a_short("a" * 1_517)


def test_a_variable_that_is_missing_is_named() -> None:
    """No template is sent with a hole, or with another variable in the place of one."""
    template = Template(name="t", languages=("en",), variables=("salutation", "code"))

    with pytest.raises(Unsendable, match="missing_variable: the message has no code"):
        whatsapp.request_of(a_message("whatsapp"), PHONE, template, sender="1")


def test_an_envelope_can_have_the_word_before_the_name() -> None:
    """`Frau`, where a gender is sure; the greeting alone would leave it to the printer to guess."""
    told = {"line": "Sehr geehrte Frau Sommer,", "courtesy": "Frau", "last_name": "Sommer"}
    assert variables_of(a_message("letters", context={"salutation": told}))["courtesy"] == "Frau"
    assert "courtesy" not in variables_of(
        a_message("letters", context={"salutation": {"line": "Guten Tag,"}})
    )


def test_the_name_on_the_bottle_is_a_variable() -> None:
    """For WhatsApp, printers, the site and the chat; a product without one has no such variable."""
    bottle = {"product_id": "b", "name": "Bottle", "personalisation": {"engraving": "Zoë\n", "n": 7, "x": ""}}
    products = [bottle, {"product_id": "g", "personalisation": {}}]
    found = variables_of(a_message(products=products))

    assert found["product_1_personalisation"] == "Zoë, 7"
    assert "product_2_personalisation" not in found
    shown = onsite.request_of(a_message("onsite", products=products), now=NOON, placement="top").body
    assert [one.get("personalisation") for one in shown["products"]] == ["Zoë, 7", None]
    handed = chat.request_of(a_message("chat", products=products), now=NOON).body
    assert "Products: Bottle, with “Zoë, 7”; g." in handed["summary"]


@pytest.mark.parametrize(("told", "said"), [(2.0, "2"), (0.5, "0.5"), (3, "3")])
def test_pieces_are_counted_as_people_count(told: float, said: str) -> None:
    """The engine tells all numbers with a point; on paper there are 2 bottles, not 2.0."""
    message = a_message("letters", products=[{"product_id": "p", "quantity": told}])
    assert variables_of(message)["product_1_quantity"] == said


def test_variables_are_on_one_line() -> None:
    """WhatsApp refuses line breaks, tabs and rows of spaces in them."""
    product = {"product_id": "p1", "name": "Tele\nvision\t  55"}
    template = Template(name="t", languages=("en",), variables=("product_1_name",))
    request = whatsapp.request_of(a_message(products=[product]), PHONE, template, sender="1")

    assert request.body["template"]["components"][0]["parameters"] == [
        {"type": "text", "text": "Tele vision 55"}
    ]


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("de-DE", "de"), ("en_GB", "en_GB"), ("en-AU", "en_US"), ("pt-PT", "pt_BR"), ("fr", "en_US"),
        (None, "en_US"), ("?", "en_US"),
    ],
)  # fmt: skip
def test_the_nearest_language_that_is_approved(locale: str | None, language: str) -> None:
    """The very one, the language, one of its regions, else the template's first."""
    template = Template(name="t", languages=("en_US", "en_GB", "de", "pt_BR"))

    assert language_of(a_message(locale=locale), template) == language


def a_letter(
    to: dict[str, Any] | None = None,
    *,
    print_by: int = NOON + HOUR,
    **fields: Any,  # noqa: ANN401
) -> dict[str, str]:
    """A letter's record."""
    message = a_message("direct_mail", **{"expires_at": None, **fields})
    return letters.record_of(message, ADDRESS if to is None else to, CAMPAIGN, print_by=print_by)


def test_a_letter_that_comes_too_late_is_not_printed() -> None:
    """What is printed at the cut-off is two days in the post."""
    assert a_letter(expires_at=format_time(NOON + HOUR + 2 * DAY + 1))
    with pytest.raises(Unsendable, match="expired"):
        a_letter(expires_at=format_time(NOON + HOUR + 2 * DAY))


def test_a_cut_off_is_the_next_one() -> None:
    """Every day at that time; in the moment it is reached it is tomorrow's."""
    assert next_cut_off(NOON, 18 * HOUR) == MIDNIGHT + 18 * HOUR
    assert next_cut_off(NOON, 12 * HOUR) == NOON + DAY
    assert next_cut_off(NOON, 0) == MIDNIGHT + DAY


def test_a_letter_that_is_called_back_is_found_by_its_id() -> None:
    """Until the cut-off the printer takes it out."""
    recall = a_letter({}, operation="recall", recall_of="0f" * 16)

    assert (recall["message_id"], recall["operation"]) == ("0f" * 16, "cancel")


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ({}, "no_address"),
        ({"address": "Hauptstr. 5, Berlin"}, "bad_address"),
        (
            {"address": {"street": "Hauptstr. 5", "city": "Berlin"}},
            "bad_address: the address has no postal_code",
        ),
        ({"address": {**ADDRESS["address"], "undeliverable": True}}, "bad_address"),
    ],
)
def test_a_letter_needs_an_address_that_a_postman_finds(to: dict[str, Any], reason: str) -> None:
    """Street, code and city, and not known to be undeliverable."""
    with pytest.raises(Unsendable, match=reason):
        a_letter(to)


def test_the_site_interrupts_nobody() -> None:
    """A narrowed choice of three, once per visit, for as long as it is worth it."""
    products = [{"product_id": f"p{number}"} for number in range(9)]
    body = onsite.request_of(a_message("onsite", products=products), now=NOON, placement="top").body

    assert [one["product_id"] for one in body["products"]] == ["p0", "p1", "p2"]
    assert (body["at_most"], body["interrupts"], body["ttl_s"]) == ("once per visit", False, 86_400)
    assert body["offers_advice"] is False


def test_the_site_offers_advice_where_the_rule_means_to_help() -> None:
    """By the rule's tag."""
    message = a_message("onsite", context={"tags": ["advice"]})

    assert onsite.request_of(message, now=NOON, placement="top").body["offers_advice"] is True


def test_the_agent_reads_sentences() -> None:
    """What the person has looked at and bought, and nothing that the message does not say."""
    products = [{"product_id": f"p{number}", "price": 10 * number} for number in range(7)]
    message = a_message("chat", products=products, context={"purchases": 1})

    assert chat.summary_of(message) == [
        "It is about their cart.",
        "Products: p0 (0.00); p1 (10.00); p2 (20.00); p3 (30.00); p4 (40.00); and 2 more.",
        "Has bought once.",
    ]
    assert chat.summary_of(a_message("chat")) == ["It is about their cart."]
    journey = {"viewed": 7, "in_carts": 1, "wished": 0, "stage": "carted"}
    assert chat.summary_of(a_message("chat", context={"journey": journey}))[1:] == [
        "Has looked at 7 products in the last two weeks.",
        "Has 1 product in the cart.",
    ]
