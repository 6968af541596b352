from __future__ import annotations

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import msgspec

from retarget.messages import Message
from retarget.rules.vocabulary import VOCABULARY
from streams.channels.email.writing import Writer
from streams.channels.templates import Templates
from streams.rulebook import load_rules
from tests.streams.channels.conftest import SEAL, message

PAGE = Path(__file__).resolve().parents[3] / "docs" / "privacy.md"


def shown(kind: str) -> str:
    """The one example of the page in this language."""
    (found,) = re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return re.sub(r"^ {2}", "", str(found), flags=re.MULTILINE)


def test_the_rule_of_the_page_can_be_taken_as_it_is(tmp_path: Path) -> None:
    """The one that asks for a confirmation."""
    (tmp_path / "confirm.yaml").write_text(shown("yaml"))
    (rule,) = load_rules([tmp_path], VOCABULARY)
    assert (rule.name, rule.purpose) == ("confirm_consent", "transactional")


def test_its_mail_can_be_written_with_the_template_of_the_page(tmp_path: Path) -> None:
    """It asks, with a link to answer by."""
    folder = tmp_path / "email"
    folder.mkdir()
    (folder / "confirm-consent.j2").write_text(shown("jinja"))
    writer = Writer("news@shop.example", "", Templates("email", str(tmp_path)), SEAL)
    told = message(1, template="confirm-consent", purl="https://go.shop.example/p/abc")
    asking = msgspec.convert(told, Message)
    mail = message_from_bytes(writer.write(asking, "ann@mail.example", 1_772_362_800_000), policy=default)
    said = mail.get_body(("plain",))
    assert isinstance(said, EmailMessage)
    assert "Yes, it was me: https://go.shop.example/p/abc" in said.get_content()
