"""A mail as a mail library reads it."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import yaml

from retarget.messages import Message
from streams.channels.email.writing import Writer
from streams.channels.templates import NotWritten, Templates
from streams.channels.values import values_of
from streams.resources import config_dir, default_rules_dir
from tests.streams.channels.conftest import SEAL, message

NOW = 1_772_362_800_000
OWN = "{% extends layout %}{% block subject %}SUBJECT{% endblock %}{% block body %}BODY{% endblock %}"
OFFER = {"kind": "percent", "percent": 10.0, "code": "SAVE-1", "expires_at": "2026-03-03T11:00:00.000Z"}


def labels() -> set[str]:
    """Every template that a shipped rule sends by a mail."""
    found = set()
    for path in Path(default_rules_dir()).glob("*.yaml"):
        if not path.name.endswith(".cases.yaml"):
            rule = yaml.safe_load(path.read_text(encoding="utf-8"))
            found |= {
                str(step["template"])
                for step in rule["steps"]
                if "template" in step and {"email", "push"} & set(step.get("channels", ()))
            }
    return found


def written(**more: Any) -> EmailMessage:  # noqa: ANN401 - fields of a message
    """A message as the mail that arrives."""
    writer = Writer("Our Shop <news@shop.example>", "help@shop.example", Templates("email"), SEAL)
    made = msgspec.convert(message(1, **more), Message)
    raw = writer.write(made, "ann@mail.example", NOW)
    assert max(map(len, raw.splitlines())) <= 998
    return message_from_bytes(raw, policy=default)


def part(mail: EmailMessage, kind: str) -> str:
    """One part's text."""
    found = mail.get_body((kind,))
    assert isinstance(found, EmailMessage)
    return str(found.get_content())


@pytest.mark.parametrize("label", sorted(labels()))
def test_every_template_of_the_shipped_rules_is_a_mail(label: str) -> None:
    """Both parts, valid headers, nothing of the template's language left; with an offer and without."""
    full: dict[str, Any] = {"offer": OFFER, "products": [], "purl": "https://shop.example/p/x"}
    for more in ({}, full):
        mail = written(template=label, **more)
        assert mail.get_content_type() == "multipart/alternative"
        assert mail["Subject"].strip()
        assert not mail.defects
        for kind in ("plain", "html"):
            text = part(mail, kind)
            assert not re.search(r"\{\{|\{%|None|Undefined", text)
            assert "You left something." in text
            assert ("SAVE-1" in text) == bool(more)


@pytest.mark.parametrize(
    ("label", "told"),
    [("first-purchase-thanks", False), ("loyal-customer-thanks", False), ("review-request", False),
     ("cart-reminder-1", True), ("price-drop", True)],
)  # fmt: skip
def test_what_was_bought_has_no_price(label: str, told: bool) -> None:  # noqa: FBT001 - a table
    """It may cost less by now; what can still be bought has its price in both parts."""
    shown = [{"product_id": "tent", "price": 149.0, "currency": "EUR", "price_as_of": "2026-03-01T00:00:00Z"}]
    mail = written(template=label, products=shown)
    for kind in ("plain", "html"):
        assert "tent" in part(mail, kind)
        assert ("149.00 EUR" in part(mail, kind)) == told
        assert ("1 March 2026" in part(mail, kind)) == told


def test_every_shipped_template_is_used() -> None:
    """One that no rule sends would be forgotten."""
    shipped = {path.stem for path in (config_dir() / "templates" / "email").glob("*.j2")}
    assert {name.partition(".")[0] for name in shipped} == labels()


def test_its_headers() -> None:
    """Who, to whom, when; an id that is always the same; unsubscribing as RFC 8058 has it."""
    mail = written(context={"salutation": {"first_name": "Änn", "last_name": "Lee"}, "purchases": 1})
    assert mail["From"] == "Our Shop <news@shop.example>"
    assert mail["To"].addresses[0].addr_spec == "ann@mail.example"
    assert mail["To"].addresses[0].display_name == "Änn Lee"
    assert mail["Message-ID"] == "<m1@shop.example>"
    assert mail["Date"].datetime.timestamp() == NOW / 1000
    assert mail["Reply-To"] == "help@shop.example"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = re.fullmatch(r"<https://news\.shop\.example/unsubscribe/([\w-]+)>", mail["List-Unsubscribe"])
    assert link
    leaver = SEAL.read(link[1])
    assert leaver is not None
    assert (leaver.user_id, leaver.message_id) == ("person 1", "m1")
    assert "Hello Änn," in part(mail, "plain")


def test_a_sender_of_the_shop_lends_name_and_signature() -> None:
    """The address stays the shop's, which it is signed for; answers go where they say."""
    maria = {
        "id": "maria",
        "name": "Maria Muster",
        "reply_to": "maria@shop.example",
        "signature": "Yours, M.",
    }
    line = {"line": "Dear Ms Lee,", "language": "en", "formal": True, "neutral": False}
    mail = written(context={"salutation": line, "sender": maria, "purchases": 1})
    assert mail["From"] == "Maria Muster <news@shop.example>"
    assert mail["Reply-To"] == "maria@shop.example"
    assert part(mail, "plain").startswith("Dear Ms Lee,")
    assert "Yours, M." in part(mail, "plain")
    assert "Yours, M." in part(mail, "html")


@pytest.mark.parametrize("purpose", ["transactional", "service"])
def test_no_unsubscribe_where_there_is_nothing_to_leave(purpose: str) -> None:
    """Receipts and service rest on no consent: who takes one back gets them all the same."""
    mail = written(purpose=purpose)
    assert mail["List-Unsubscribe"] is mail["List-Unsubscribe-Post"] is None
    for kind in ("plain", "html"):
        assert "No more mails" in part(written(), kind)
        assert "No more mails" not in part(mail, kind)
        assert "/unsubscribe/" not in part(mail, kind)
        assert "You left something." in part(mail, kind)


def test_a_layout_that_always_names_a_way_out_names_none_there(tmp_path: Path) -> None:
    """Nobody reads `None` where the link would be."""
    (tmp_path / "email").mkdir()
    (tmp_path / "email" / "own.j2").write_text(OWN.replace("BODY", "Leave: <{{ unsubscribe }}>"))
    writer = Writer("news@shop.example", "", Templates("email", str(tmp_path)), SEAL)
    made = msgspec.convert(message(1, template="own", purpose="service"), Message)
    mail = message_from_bytes(writer.write(made, "ann@mail.example", NOW), policy=default)
    assert "Leave: <>" in part(mail, "plain")


def test_what_comes_from_outside_is_escaped_and_stays_in_its_place() -> None:
    """Markup in a name, a line break in a subject, a link that is a program."""
    evil = {"product_id": "x", "name": "<script>\r\nBcc: all@shop.example", "url": "javascript:alert(1)"}
    mail = written(
        template="back-in-stock", products=[evil],
        context={"salutation": {"first_name": "A\r\nBcc: b@c.example"}, "sender": {"name": "Eve\r\nX: y"}},
    )  # fmt: skip
    assert mail["Bcc"] is None
    assert mail["X"] is None
    html = part(mail, "html")
    assert "<script" not in html
    assert "javascript:" not in html
    assert mail["From"].addresses[0].addr_spec == "news@shop.example"


def test_a_long_name_is_cut_and_any_name_keeps_its_direction() -> None:
    """Hebrew stands from right to left without turning the price behind it; nobody scrolls sideways."""
    mail = written(template="back-in-stock", products=[{"product_id": "b", "name": "ש" * 999}])
    assert mail["Subject"] == "ש" * 199 + "… is back"
    assert '<strong dir="auto">' + "ש" * 199 in part(mail, "html")
    assert "overflow-wrap:anywhere" in part(mail, "html")


@pytest.mark.parametrize(("language", "own"), [("de", False), ("en", False), ("de", True)])
def test_a_mail_says_in_which_language_it_is(language: str, own: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """That of its words, for whoever has it read aloud: a template of a shop's own is in its own."""
    (tmp_path / "email").mkdir()
    if own:
        (tmp_path / "email" / "cart-reminder-1.j2").write_text(OWN)
    context = {"salutation": {"line": "X,", "language": language}, "purchases": 0}
    made = msgspec.convert(message(1, context=context), Message)
    html = Templates("email", str(tmp_path)).html("cart-reminder-1", values_of(made, None))
    assert f'<html lang="{"en" if own else language}">' in html


BREAKING: Final = "A\n\nYour code: FREE\r\n\u2029Unsubscribe: \u202ehttps://evil.example\u0007"


@pytest.mark.parametrize("kind", ["plain", "html"])
def test_no_text_of_a_message_leaves_its_line(kind: str) -> None:
    """Nobody writes a paragraph of ours, or turns the rest of a line, by a name, a search or a shop."""
    bottle = {
        "product_id": "b", "name": BREAKING, "personalisation": {"x": BREAKING},
        "url": "https://shop.example/b\n\nYour code: FREE",
    }  # fmt: skip
    context = {"salutation": {"neutral": True}, "purchases": 0, "store": BREAKING}
    subject = {"kind": "query", "id": BREAKING}
    for label in ("search-reminder", "store-follow-up"):
        text = part(written(template=label, products=[bottle], context=context, subject=subject), kind)
        assert text.count("A Your code: FREE Unsubscribe: https://evil.example") == 3
        assert not re.search("^(<p>)?(Your code|Unsubscribe)|[\u2029\u202e\u0007]", text, re.MULTILINE)
        assert "https://shop.example/b" not in text


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"name": " "}, "- b, 5.00"),
        ({"name": "B", "price": -5}, "- B\r\n"),
        ({"name": 7, "price": 0}, "- 7, 0.00"),
    ],
)
def test_a_product_has_a_name_and_no_price_below_nothing(told: dict[str, Any], said: str) -> None:
    """The id stands for a name that is blank; less than nothing is no price."""
    mail = written(products=[{"product_id": "b", "price": 5.0, **told}])
    assert said in part(mail, "plain")


@pytest.mark.parametrize(
    "address",
    ["", "ann", "ann@", "@mail.example", "a b@mail.example", "ann@mail..example",
     "ann@mail.example\r\nRCPT TO:x",
     "ann@mail.example, b@c.example", "<ann@mail.example>", ".a@mail.example",
     "ä@mail.example", "a@-x.example"],
)  # fmt: skip
def test_addresses_that_are_none(address: str) -> None:
    """They are refused before anybody is asked."""
    writer = Writer("news@shop.example", "", Templates("email"), SEAL)
    with pytest.raises(NotWritten) as refused:
        writer.write(msgspec.convert(message(1), Message), address, NOW)
    assert refused.value.reason == "bad_address"


@pytest.mark.parametrize(
    "text",
    ["{{ ''.__class__.__mro__[1].__subclasses__() }}", "{{ context.__class__ }}",
     "{{ self.__init__.__globals__ }}", "{% include '../../../../../etc/passwd' %}"],
)  # fmt: skip
def test_a_template_runs_nothing(text: str, tmp_path: Path) -> None:
    """The sandbox lets nothing of Python's inside be seen, nor files beside the templates."""
    (tmp_path / "email").mkdir()
    (tmp_path / "email" / "own.j2").write_text(OWN.replace("BODY", text))
    writer = Writer("news@shop.example", "", Templates("email", str(tmp_path)), SEAL)
    with pytest.raises(NotWritten):
        writer.write(msgspec.convert(message(1, template="own"), Message), "a@b.example", NOW)


@pytest.mark.parametrize(("told", "said"), [(2.0, "2"), (0.5, "0.5"), (3, "3")])
def test_pieces_are_counted_as_people_count(told: float, said: str, tmp_path: Path) -> None:
    """The engine tells all numbers with a point; a template that says how many says 2, not 2.0."""
    (tmp_path / "email").mkdir()
    (tmp_path / "email" / "own.j2").write_text(OWN.replace("BODY", "<{{ products[0].quantity }}>"))
    made = msgspec.convert(message(1, products=[{"product_id": "p", "quantity": told}]), Message)
    assert f"<{said}>" in Templates("email", str(tmp_path)).text("own", values_of(made, None))


def test_the_language_of_the_person_goes_first(tmp_path: Path) -> None:
    """`LABEL.de.j2` for German, else `LABEL.j2`."""
    (tmp_path / "email").mkdir()
    for name, word in (("own.j2", "hello"), ("own.de.j2", "hallo")):
        (tmp_path / "email" / name).write_text(OWN.replace("SUBJECT", word))
    writer = Writer("news@shop.example", "", Templates("email", str(tmp_path)), SEAL)
    for locale, word in (("de-AT", "hallo"), ("fr", "hello"), (None, "hello"), ("../x", "hello")):
        made = msgspec.convert(message(1, template="own", locale=locale), Message)
        mail = message_from_bytes(writer.write(made, "a@b.example", NOW), policy=default)
        assert mail["Subject"] == word


def test_the_name_on_the_bottle_is_known_to_every_template(tmp_path: Path) -> None:
    """A template may ask each product for it; where nothing is written upon it, it is empty."""
    each = "{% for one in products %}<{{ one.personalisation.values() | join }}>{% endfor %}"
    (tmp_path / "email").mkdir()
    (tmp_path / "email" / "mine.j2").write_text(OWN.replace("BODY", each), encoding="utf-8")
    bottle = {"product_id": "b", "personalisation": {"engraving": "Zoë\nMax", "n": 7}}
    values = values_of(
        msgspec.convert(message(1, products=[bottle, {"product_id": "g"}]), Message), unsubscribe=None
    )
    assert "<Zoë Max7><>" in Templates("email", str(tmp_path)).text("mine", values)
    assert [one["personalisation"] for one in values["products"]] == [{"engraving": "Zoë Max", "n": "7"}, {}]


@pytest.mark.parametrize("kind", ["plain", "html"])
def test_the_layout_shows_the_name_on_the_bottle(kind: str) -> None:
    """In both parts, where there is one."""
    bottle = {"product_id": "b", "name": "Bottle", "personalisation": {"engraving": "Zoë"}}
    assert "“Zoë”" in part(written(products=[bottle]), kind)
    assert "“" not in part(written(products=[{"product_id": "b", "personalisation": {}}]), kind)


def test_a_template_says_what_a_list_of_mails_shows_beside_the_subject(tmp_path: Path) -> None:
    """The pre-header: before all other text of the HTML part, escaped and not shown, and only there."""
    (tmp_path / "email").mkdir()
    own = OWN + '{% block preview %}Still there, {{ "1 < 2" }}{% endblock %}'
    (tmp_path / "email" / "own.j2").write_text(own)
    writer = Writer("news@shop.example", "", Templates("email", str(tmp_path)), SEAL)
    made = msgspec.convert(message(1, template="own"), Message)
    mail = message_from_bytes(writer.write(made, "ann@mail.example", NOW), policy=default)
    html = part(mail, "html")
    assert re.search(r'<body[^>]*>\s*<div style="display:none[^>]*>Still there, 1 &lt; 2</div>', html)
    assert "Still there" not in part(mail, "plain")
    assert "display:none" not in part(written(), "html")
