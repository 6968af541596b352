"""The channel `direct_mail`: lists of variables for the print shop, a proof of each letter with its link."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import segno
from fpdf import FPDF
from fpdf.errors import FPDFException

from retarget.decode import read_time
from retarget.errors import Rejected, Unsendable
from retarget.formats.letters import Campaign, next_cut_off, record_of
from retarget.formats.postal import KINDS
from retarget.messages import Message, stable_id
from streams.channels.addresses import Addresses
from streams.channels.batches.files import folder_of, write_once
from streams.channels.outcomes import HANDED, NOT_YET, Leave, Outcome, dead, freely, later
from streams.channels.values import in_their_words
from streams.clocks import now_ms
from streams.settings import Settings

# These first, in every list; behind them what its letters say besides.
COLUMNS: Final = (
    "message_id", "operation", "campaign", "template", "print_by", "name", "street", "postal_code", "city",
    "country",
)  # fmt: skip
# A table program would take what begins like this for a formula, some of them the wide signs, too.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# Latin-1, and the quotes, dashes and euros of Windows.
_FONTS: Final = "windows-1252"
# So much of each text is shown, so that a proof stays one page and nothing lies upon something else.
_SHOWN: Final = 60
_REASON: Final = 180
_LINK: Final = 300


class Letter(NamedTuple):
    """What is written of one: its row, and its proof; a recall has none."""

    message_id: str
    row: dict[str, str]
    page: bytes | None


class LetterChannel:
    """A Channel by files: `KEY.csv` with a row for each letter, `MESSAGE_ID.pdf` beside it."""

    name = "direct_mail"
    batches = True
    recalls = True  # a row with the operation `cancel`: good until the shop prints
    repeats: int | None = None
    destination = ""

    def __init__(self, settings: Settings, now: Callable[[], int] = now_ms) -> None:
        """Raises BadInput."""
        self.at_once, self._cut_off = settings.direct_mail.batch, settings.direct_mail.cut_off
        self._now = now
        self._folder = folder_of(settings.direct_mail.folder, "direct_mail.folder")
        self._addresses = Addresses(settings.channel.addresses)

    async def start(self) -> None:
        """See Channel."""

    async def stop(self) -> None:
        """See Channel."""
        await self._addresses.close()

    async def hand_over(self, messages: Sequence[Message], leave: Leave = freely) -> Sequence[Outcome]:
        """See Channel."""
        told = [*map(in_their_words, messages)]
        rows = await asyncio.gather(*map(self._row, told))
        found = await asyncio.to_thread(lambda: [*map(_letter, told, rows)])
        good = [one for one in found if not isinstance(one, Outcome)]
        key = stable_id("letters", *(one.message_id for one in messages))
        outcome = HANDED
        if good:
            may = await leave(len(good))
            outcome = await asyncio.to_thread(self._write, key, good) if may else NOT_YET
        return [one if isinstance(one, Outcome) else outcome for one in found]

    async def _row(self, message: Message) -> dict[str, str] | Outcome:
        # Who calls a letter back needs no address.
        kinds = () if message.operation == "recall" else KINDS
        found = await self._addresses.of(message, kinds) if kinds else message.to
        if isinstance(found, Outcome):
            return found
        try:
            print_by = next_cut_off(self._now(), self._cut_off)
            row = record_of(message, found, Campaign(name=message.rule), print_by=print_by)
        except Unsendable as unsendable:
            return dead(unsendable.reason, unsendable.detail)
        return row | {"template": message.template or ""}

    def _write(self, key: str, letters: Sequence[Letter]) -> Outcome:
        try:
            for one in letters:
                if one.page is not None:
                    write_once(self._folder / f"{one.message_id}.pdf", one.page)
            write_once(self._folder / f"{key}.csv", listed([one.row for one in letters]))
        except OSError as error:
            return later(f"{self._folder}: {error.strerror}")
        return HANDED


def _letter(message: Message, row: dict[str, str] | Outcome) -> Letter | Outcome:
    """Of what cannot be drawn a dead letter, before anything of its batch is written."""
    if isinstance(row, Outcome):
        return row
    if "/" in message.message_id:
        return dead("bad_message", "its message_id names no file of one folder")
    try:
        page = None if message.operation == "recall" else proof(message, row)
    except segno.DataOverflowError:
        return dead("bad_message", f"its link has {len(row['purl'])} characters, too many for a QR code")
    except (ValueError, Rejected, FPDFException) as error:
        return dead("bad_message", f"no proof can be made of it: {error}")
    return Letter(message.message_id, row, page)


def listed(rows: Sequence[Mapping[str, str]]) -> bytes:
    """The list, as RFC 4180 has it."""
    text = io.StringIO(newline="")
    more = sorted({name for row in rows for name in row} - {*COLUMNS})
    writer = csv.DictWriter(text, (*COLUMNS, *more), restval="")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {name: f"'{said}" if said.startswith(_FORMULA) else said for name, said in row.items()}
        )
    return text.getvalue().encode()


def proof(message: Message, row: Mapping[str, str]) -> bytes:
    """One page: the address, what is said, and the link as a QR code. The same bytes each time."""
    page = FPDF(format="A4")
    page.core_fonts_encoding = _FONTS
    # Not the present: the proof of a letter in doubt is the one that is there.
    page.set_creation_date(datetime.fromtimestamp(read_time(message.decided_at) / 1_000, UTC))
    page.add_page()
    page.set_font("helvetica", size=11)
    page.set_xy(20, 45)
    town = f"{row['postal_code']} {row['city']}"
    lines = [row["name"], row["street"], row.get("street_2", ""), town, row.get("country", "")]
    page.multi_cell(85, 6, "\n".join(map(_printable, filter(None, lines))), align="L")
    page.set_xy(20, 100)
    names = [told for name, told in row.items() if name.startswith("product_") and name.endswith("_name")]
    code = f"Code: {row['code']}" if row.get("code") else ""
    opening = [_printable(row.get("salutation", ""), _REASON), _printable(f"[{row['template']}]")]
    said = [*opening, ", ".join(map(_printable, names)), _printable(code), _printable(message.why, _REASON)]
    page.multi_cell(170, 7, "\n\n".join(filter(None, said)), align="L")
    if purl := row.get("purl"):
        picture = io.BytesIO()
        segno.make(purl, error="m", micro=False).save(picture, kind="png", scale=8)
        picture.seek(0)
        page.image(picture, x=20, y=230, w=35)
        page.set_xy(60, 243)
        page.multi_cell(130, 6, _printable(purl, _LINK))
    return bytes(page.output())


def _printable(text: str, most: int = _SHOWN) -> str:
    """What fonts that every PDF reader has can show, not too much of it; the list has the text itself."""
    text = text if len(text) <= most else f"{text[: most - 1]}…"
    return text.encode(_FONTS, "replace").decode(_FONTS)
