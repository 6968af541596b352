"""The stories of docs/stories: what a page shows is what the engine makes of its touchpoints.

A page has files, commands and tables. The table with a column `what` tells of messages, that with `why not`
of what was stopped or put off, that with `waits until` of what is open at the end: of everything, in order.
A page without one of them says that there is nothing. A block `text mail-N` is the N-th mail
that was sent. Every message is written as its channel's service would, and every click is of one of them.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import pytest

from retarget.formats.devices import devices_of
from retarget.messages import Message
from retarget.personal.links import decode
from retarget.times import HOUR, parse_time
from streams.channels.email.links import Seal
from streams.channels.email.writing import Writer
from streams.channels.templates import Templates
from streams.channels.values import values_of
from streams.links import opened
from tests.core.formats.cases import FORMATTERS, TERMS
from tests.streams.commands.conftest import Retarget, retarget
from tests.support.pages import blocks, sessions, write_files

__all__ = ["retarget"]

ROOT: Final = Path(__file__).resolve().parents[2]
STORIES: Final = sorted((ROOT / "docs" / "stories").glob("*.md"))
MAIL: Final = "mail-"
TABLE: Final = re.compile(r"(?:^\|.*\|\n)+", re.MULTILINE)
ZONE: Final = ZoneInfo("Europe/Berlin")

# That of `purl.keys` in the stories' commands.
SECRET: Final = "a-key-that-nobody-can-guess"  # noqa: S105 - it stands on the page
Told = Mapping[str, Any]
_CLICK: Final = '_click"'
SEAL: Final = Seal("a secret of this test", "https://news.shop.example/")
# What the shop's own service answers for those whose address stands in no story.
KNOWN: Final = {"email": "somebody@mail.example"}
# By the channel; a mail is written by its service.
PROVIDERS: Final = {
    "push": ["fcm"], "ads": ["meta", "google"], "direct_mail": ["letters"], "onsite": ["onsite"],
    "chat": ["chat"],
}  # fmt: skip
Row = tuple[str, ...]


def when(text: str) -> str:
    """A moment as people in Bonn say it."""
    at = datetime.fromisoformat(text).astimezone(ZONE)
    return f"{at:%a} {at.day} {at:%B, %H:%M}"


def price(message: Told) -> str:
    """What the first product costs, and since when that is known."""
    shown = [f"{one['price']:g}, as of {when(one['price_as_of'])}" for one in message["products"][:1]]
    return "".join(shown) or "-"


def begins(message: Told) -> str:
    """How somebody is greeted by what they read as a letter."""
    letter = message["operation"] == "send" and message["channel"] in ("email", "direct_mail")
    return str(message["context"]["salutation"]["line"]) if letter else "-"


def code(message: Told) -> str:
    """What a code of theirs takes off, and until when it is good; the code itself is one of their own."""
    offer = message["offer"]
    if offer is None:
        return "-"
    assert re.fullmatch(r"[A-Z0-9-]{6,}", offer["code"]), offer
    return f"{offer['percent']:g} % until {when(offer['expires_at'])}"


def followed(message: Told) -> str:
    """When somebody followed its link, as the input tells it, which must be while the link was good."""
    link = decode(opened(message["purl"].rpartition("/")[2], [SECRET]) or b"") if message["purl"] else None
    for click in message["clicks"]:
        assert link is not None
        assert (link.channel, link.person) == (click["type"].removesuffix("_click"), click["user_id"])
        assert link.made_at <= parse_time(click["time"]) < link.expires_at
    return ", ".join(when(click["time"]) for click in message["clicks"]) or "-"


def with_clicks(messages: Sequence[Told], text: str) -> list[Told]:
    """The messages with what the input tells of their links; nothing is told of a message that is none."""
    told = [json.loads(line) for block in blocks(text) for line in block.text.splitlines() if _CLICK in line]
    clicks = [one for one in told if "message_id" in one.get("campaign", {})]
    assert {one["campaign"]["message_id"] for one in clicks} <= {one["message_id"] for one in messages}
    return [
        {**one, "clicks": [two for two in clicks if two["campaign"]["message_id"] == one["message_id"]]}
        for one in messages
    ]


def leads_to(message: Told) -> str:
    """What its own link shows, until when; it is of this message and person."""
    if message["purl"] is None:
        return "-"
    data = opened(message["purl"].rpartition("/")[2], [SECRET])
    assert data is not None
    link = decode(data)
    assert (link.message_id, link.person, link.channel) == tuple(
        message[key] for key in ("message_id", "person", "channel")
    )
    return f"{', '.join(link.products)} until {link_ends(link.expires_at)}"


def link_ends(at: int) -> str:
    """A day is enough of a moment that is months away."""
    moment = datetime.fromtimestamp(at / 1000, ZONE)
    return f"{moment.day} {moment:%B}"


def why_not(decision: Told) -> str:
    """What stopped it, or until when it was put off."""
    until = f", until {when(decision['release'])}" if decision["outcome"] == "deferred" else ""
    return f"`{decision['reason']}`{until}"


COLUMNS: Final[dict[str, Callable[[Told], str]]] = {
    "when, in Bonn": lambda told: when(told["decided_at"]),
    "who": lambda told: str(told["person"]),
    "what": lambda told: f"{told['operation']} {told['channel']}",
    "would have been": lambda told: " ".join(filter(None, (told["operation"], told["channel"]))),
    "which": lambda told: f"`{told['audience'] or told['template'] or '-'}`",
    "rule": lambda told: f"`{told['rule']}`",
    "products": lambda told: ", ".join(product["product_id"] for product in told["products"]) or "-",
    "begins": begins,
    "code": code,
    "leads to": leads_to,
    "followed": followed,
    "order": lambda told: str(told["context"]["purchase_ordinal"]),
    "price": price,
    "step": lambda told: str(told["step"]),
    "why not": why_not,
    "waits until": lambda told: when(told["at"]),
    "waits": lambda told: " ".join(str(told["text"]).partition(",")[0].split()),
}
KINDS: Final = ("what", "why not", "waits until")


def tables(text: str) -> Iterator[tuple[str, Row, list[Row]]]:
    """The tables of a page: what they tell of, their columns, their rows."""
    for table in TABLE.findall(text):
        head, _, *rows = [tuple(map(str.strip, line.strip("|").split(" | "))) for line in table.splitlines()]
        yield next(kind for kind in KINDS if kind in head), head, rows


def lines_of(file: Path) -> list[dict[str, Any]]:
    """What a command wrote."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def not_sent(decisions: Sequence[Told]) -> list[Told]:
    """What did not leave at that moment."""
    return [one for one in decisions if one["outcome"] != "sent"]


def waiting(people: Sequence[str], retarget: Retarget) -> list[Told]:
    """What is open at the end, of everybody, by time."""
    open_ = []
    for person in people:
        said = retarget("explain", person, "--decisions", "decisions.jsonl", "--json").out
        open_ += [entry | {"person": person} for entry in json.loads(said)["waiting"] if entry["rule"]]
    return sorted(open_, key=lambda entry: str(entry["at"]))


def told_in(found: Sequence[Told], head: Row) -> list[Row]:
    """As a table with these columns tells it."""
    return [tuple(COLUMNS[column](one) for column in head) for one in found]


@pytest.mark.parametrize("page", STORIES, ids=lambda page: page.stem)
def test_a_story_is_true(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, retarget: Retarget
) -> None:
    """Every message, everything that was stopped, and what waits, in its order, and nothing else."""
    text = page.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    commands = [shlex.split(command) for command, _ in sessions(text)]
    for command in commands:
        if command[:2] == ["cp", "-r"]:
            shutil.copytree(ROOT / command[2], command[3])
    write_files(text, tmp_path)
    for command in commands:
        if command[0] == "retarget":
            answer = retarget(*command[1:])
            assert answer.code == 0, answer.err
    messages, decisions = lines_of(Path("messages.jsonl")), lines_of(Path("decisions.jsonl"))
    people = [one["person"] for one in lines_of(Path("decisions.jsonl.journeys"))]
    made: dict[str, Sequence[Told]] = {
        "what": with_clicks(messages, text),
        "why not": not_sent(decisions),
        "waits until": waiting(people, retarget),
    }
    shown = {kind: (head, rows) for kind, head, rows in tables(text)}
    for kind, found in made.items():
        head, rows = shown.get(kind, ((), []))
        assert rows == told_in(found, head), kind
    for message in messages:
        send(message)
    mails = [one for one in messages if one["channel"] == "email" and one["operation"] == "send"]
    for block in blocks(text):
        if block.name.startswith(MAIL):
            assert mail_of(mails[int(block.name.removeprefix(MAIL)) - 1]) == block.text


def send(message: Told) -> None:
    """Write the message as its channel's service would, to the address that it names itself."""
    read = msgspec.convert(message, Message)
    now = parse_time(message["decided_at"])
    if read.channel == "email":
        if read.operation == "send":
            Writer("Shop <news@shop.example>", "", mail_templates(), SEAL).write(
                read, str(read.to.get("email") or KNOWN["email"]), now
            )
        return
    for provider in PROVIDERS[read.channel]:
        terms = {**TERMS[provider]} | ({"now": now} if "now" in TERMS[provider] else {})
        if provider == "letters":
            terms["print_by"] = now + HOUR
            assert read.operation != "send" or "external" not in read.to
        assert FORMATTERS[provider](read, terms) or not devices_of(read.to), provider


def mail_of(message: Told) -> str:
    """The plain text of a mail, by the page's templates or those that ship."""
    read = msgspec.convert(message, Message)
    return mail_templates().text(read.template or "", values_of(read, None), locale=read.locale)


def mail_templates() -> Templates:
    """The page's own before those that ship."""
    return Templates("email", "templates" if Path("templates").is_dir() else "")


def test_there_are_stories() -> None:
    """They are found."""
    assert STORIES
