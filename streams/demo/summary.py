"""What it came to: the table at the end of a demo."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from streams.demo.tally import Tally
from streams.settings import Settings

_MIB = 1024 * 1024
_COMPLAINTS = 5


class Figures(NamedTuple):
    """What the tally does not know; `memory` in bytes, `lasted` in seconds, `mails` None: no mailbox."""

    people: int
    events: int
    repeated: int
    late: int
    lasted: float
    memory: int
    mails: int | None = None


def summary(tally: Tally, figures: Figures) -> RenderableType:
    """Messages by rule and channel, and below everything else that was counted."""
    messages: list[RenderableType] = [_messages(tally), Text()] if tally.messages else []
    return Group(Text(), *messages, _facts(tally, figures))


def show_summary(console: Console, tally: Tally, figures: Figures) -> None:
    """Print it; where lines may be long, none is cut."""
    console.print(summary(tally, figures))


def show_complaints(console: Console, heard: Counter[str]) -> None:
    """What the engine warned of meanwhile; nothing, when all went well."""
    for sentence, times in heard.most_common(_COMPLAINTS):
        again = f" ({times} times)" if times > 1 else ""
        console.print(Text(f"warning: {sentence}{again}", style="yellow"), soft_wrap=True)


def show_hint(console: Console) -> None:
    """How to see more than went by."""
    hint = "To look at single people, their messages and the topics: retarget demo --keep"
    console.print(Text(f"\n{hint}", style="dim"), soft_wrap=True)


def show_addresses(console: Console, settings: Settings, page: str, person: str, mails: str = "") -> None:
    """How to look around in a demo that is kept."""
    if mails:
        console.print(Text(f"\nThe mails: {mails}"), soft_wrap=True)
    console.print(
        Text(
            f"""
Broker, store and engine go on, without people, until you press Enter. In another terminal:
  export RETARGET_KAFKA_BOOTSTRAP={settings.kafka.bootstrap} RETARGET_STORE_URL={settings.store.url}
  export RETARGET_KAFKA_PARTITIONS={settings.kafka.partitions} RETARGET_APP_ID={settings.app.id}
  export RETARGET_CLOCK_NOW={settings.clock.now} RETARGET_CLOCK_IDLE={settings.clock.idle}
  retarget explain {person or "PERSON"}
  retarget tail email
  curl {page}"""
        ),
        soft_wrap=True,
    )


def _messages(tally: Tally) -> Table:
    channels = [channel for channel, _ in tally.by_channel.most_common()]
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    table.add_column("messages sent")
    for channel in channels:
        table.add_column(channel, justify="right")
    table.add_column("all", justify="right", style="bold")
    for rule in tally.rules:
        counts = (tally.messages[rule, channel] for channel in channels)
        table.add_row(rule, *(str(count or "") for count in counts), str(tally.by_rule[rule]))
    by_channel = (f"{tally.by_channel[channel]:,}" for channel in channels)
    table.add_row("all", *by_channel, f"{tally.by_rule.total():,}", style="bold")
    return table


def _facts(tally: Tally, figures: Figures) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", style="bold", no_wrap=True)
    table.add_column(style="dim", overflow="fold")
    for name, number, detail in _rows(tally, figures):
        table.add_row(name, number, detail)
    for name, count in (
        ("reminders after a purchase", tally.after_purchase),
        ("messages sent twice", tally.duplicates),
    ):
        verdict = (
            Text("as it must be", style="green")
            if not count
            else Text("a bug: please report it", style="red")
        )
        table.add_row(name, Text(f"{count:,}", style="bold green" if not count else "bold red"), verdict)
    return table


def _rows(tally: Tally, figures: Figures) -> list[tuple[str, str, str]]:
    return [
        ("events", f"{figures.events:,}", f"of {figures.people:,} people in {figures.lasted:.0f} s"),
        ("repeated events", f"{figures.repeated:,}", "the same id again: counted, nothing else"),
        ("late events", f"{figures.late:,}", "from devices that were offline"),
        ("dead letters", f"{tally.dead.total():,}", _listed(tally.dead)),
        ("held back", f"{tally.held_back.total():,}", _listed(tally.held_back)),
        ("put off", f"{tally.waiting.total():,}", _listed(tally.waiting)),
        ("recalls", f"{tally.recalls.total():,}", _listed(tally.recalls)),
        ("ad audience changes", f"{tally.audiences.total():,}", _listed(tally.audiences)),
        (
            "of another id",
            f"{tally.unjoined:,}",
            "reminders of what another id bought, before the two were joined",
        ),
        *_mails(figures),
        _first(tally),
        ("memory", f"{figures.memory / _MIB:,.0f} MB", "at most, all processes together"),
    ]


def _mails(figures: Figures) -> list[tuple[str, str, str]]:
    if figures.mails is None:
        return []
    return [
        ("mails", f"{figures.mails:,}", "written and handed over by SMTP; --keep leaves the mailbox open")
    ]


def _first(tally: Tally) -> tuple[str, str, str]:
    if tally.first_s is None:
        return "first message", "none", "nobody had a reason; try more --people or --seconds"
    return "first message", f"{tally.first_s:.1f} s", "after the engine's start"


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts.most_common())
