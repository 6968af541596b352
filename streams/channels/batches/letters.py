"""The channel `direct_mail`: lists of variables for the print shop, a proof of each letter with its link."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import segno
from fpdf import FPDF

from retarget.decode import read_time
from retarget.messages import Message, stable_id
from streams.channels.addresses import Addresses
from streams.channels.batches.files import folder_of, write_once
from streams.channels.outcomes import HANDED, Outcome, dead, later
from streams.channels.values import greeting
from streams.settings import Settings

COLUMNS: Final = (
    "message_id", "operation", "recall_of", "campaign", "template", "name", "street", "postal_code", "city",
    "country", "salutation", "products", "code", "code_until", "purl", "print_until", "locale",
)  # fmt: skip
_LINES: Final[Mapping[str, tuple[str, ...]]] = {
    "street": ("street", "address1", "line1"),
    "postal_code": ("postal_code", "zip", "postcode"),
    "city": ("city",),
    "country": ("country", "country_code"),
}
_NEEDED: Final = ("street", "postal_code", "city")
# A table program would take what begins like this for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_KINDS: Final = ("address", "postal_address")


class LetterChannel:
    """A Channel by files: `KEY.csv` with a row for each letter, `MESSAGE_ID.pdf` beside it."""

    name = "direct_mail"
    batches = True
    recalls = True  # a row with the operation `recall`: good until the shop prints
    repeats: int | None = None

    def __init__(self, settings: Settings) -> None:
        """Raises BadInput."""
        self.at_once = settings.direct_mail.batch
        self._folder = folder_of(settings.direct_mail.folder, "direct_mail.folder")
        self._addresses = Addresses(settings.channel.addresses)

    async def start(self) -> None:
        """See Channel."""

    async def stop(self) -> None:
        """See Channel."""
        await self._addresses.close()

    async def hand_over(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        """See Channel."""
        found = await asyncio.gather(*map(self._row, messages))
        good = [
            (message, row)
            for message, row in zip(messages, found, strict=True)
            if not isinstance(row, Outcome)
        ]
        key = stable_id("letters", *(one.message_id for one in messages))
        outcome = await asyncio.to_thread(self._write, key, good) if good else HANDED
        return [one if isinstance(one, Outcome) else outcome for one in found]

    async def _row(self, message: Message) -> dict[str, str] | Outcome:
        if message.operation == "recall":
            return row_of(message, {})
        found = await self._addresses.of(message, _KINDS)
        if isinstance(found, Outcome):
            return found
        address = next((found[kind] for kind in _KINDS if found.get(kind)), None)
        row = row_of(message, address if isinstance(address, Mapping) else {})
        missing = [name for name in _NEEDED if not row[name]]
        if missing:
            return dead("bad_address", f"the address has no {' and no '.join(missing)}")
        return row

    def _write(self, key: str, letters: Sequence[tuple[Message, dict[str, str]]]) -> Outcome:
        try:
            for message, row in letters:
                if message.operation != "recall":
                    write_once(self._folder / f"{message.message_id}.pdf", proof(message, row))
            write_once(self._folder / f"{key}.csv", listed([row for _, row in letters]))
        except OSError as error:
            return later(f"{self._folder}: {error.strerror}")
        return HANDED


def row_of(message: Message, address: Mapping[str, Any]) -> dict[str, str]:
    """What the print shop needs of one letter, by COLUMNS."""
    names = message.context.get("salutation")
    known = names if isinstance(names, Mapping) else {}
    full = " ".join(str(known[key]) for key in ("title", "first_name", "last_name") if known.get(key))
    offer = message.offer
    row = {
        "message_id": message.message_id,
        "operation": message.operation,
        "recall_of": message.recall_of,
        "campaign": message.rule,
        "template": message.template,
        "name": address.get("name") or full,
        "salutation": greeting(names),
        "products": ", ".join(str(one.get("name") or one["product_id"]) for one in message.products),
        "code": offer and offer.code,
        "code_until": offer and offer.expires_at,
        "purl": message.purl,
        "print_until": message.expires_at,
        "locale": message.locale,
    } | {
        name: next((address[key] for key in keys if address.get(key)), None) for name, keys in _LINES.items()
    }
    return {name: " ".join(str(row.get(name) or "").split()) for name in COLUMNS}


def listed(rows: Sequence[Mapping[str, str]]) -> bytes:
    """The list, as RFC 4180 has it."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {name: f"'{said}" if said.startswith(_FORMULA) else said for name, said in row.items()}
        )
    return text.getvalue().encode()


def proof(message: Message, row: Mapping[str, str]) -> bytes:
    """One page: the address, what is said, and the link as a QR code. The same bytes each time."""
    page = FPDF(format="A4")
    # Not the present: the proof of a letter in doubt is the one that is there.
    page.set_creation_date(datetime.fromtimestamp(read_time(message.decided_at) / 1_000, UTC))
    page.add_page()
    page.set_font("helvetica", size=11)
    page.set_xy(20, 45)
    lines = [row["name"], row["street"], f"{row['postal_code']} {row['city']}", row["country"]]
    page.multi_cell(85, 6, _latin("\n".join(filter(None, lines))))
    page.set_xy(20, 100)
    said = [
        row["salutation"],
        f"[{row['template']}]",
        row["products"],
        row["code"] and f"Code: {row['code']}",
    ]
    page.multi_cell(170, 7, _latin("\n\n".join(filter(None, [*said, message.why]))))
    if row["purl"]:
        picture = io.BytesIO()
        segno.make(row["purl"], error="m", micro=False).save(picture, kind="png", scale=8)
        picture.seek(0)
        page.image(picture, x=20, y=230, w=35)
        page.set_xy(60, 243)
        page.multi_cell(130, 6, _latin(row["purl"]))
    return bytes(page.output())


def _latin(text: str) -> str:
    """What the fonts that every PDF reader has can show; the list has the text itself."""
    return text.encode("latin-1", "replace").decode("latin-1")
