"""One decision as a line, and how many lines a reader can take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from rich.text import Text

from streams.demo.words import clock

Kind = Literal["sent", "recalled", "waits", "held back"]
# Below this many columns the rule is left out: the reason says the same.
ROOMY: Final = 110
_PERSON, _CHANNEL, _RULE = 16, 11, 19
_COLOURS: Final = {
    "email": "cyan", "push": "magenta", "onsite": "green", "chat": "yellow", "sms": "blue",
    "direct_mail": "bright_red", "service": "bright_blue", "whatsapp": "bright_green",
}  # fmt: skip


class Line(NamedTuple):
    """What is shown of one decision; `time` is simulated epoch ms."""

    time: int
    channel: str
    rule: str
    person: str
    reason: str
    kind: Kind
    products: str = ""
    why: str = ""


def render(line: Line, width: int) -> Text:
    """The line in columns; what does not fit into `width` is for the caller to cut."""
    quiet = line.kind in ("waits", "held back")
    label = line.kind if quiet else line.channel
    text = Text(f"{clock(line.time)}  ", style="dim")
    text.append(
        f"{label:<{_CHANNEL}} ", style="dim" if quiet else f"bold {_COLOURS.get(line.channel, 'white')}"
    )
    text.append(f"{line.person:<{_PERSON}} ", style="dim" if quiet else "")
    if width >= ROOMY:
        text.append(f"{line.rule:<{_RULE}} ", style="dim" if quiet else "blue")
    text.append(line.reason, style="dim" if quiet else "")
    if line.products:
        text.append(f": {line.products}", style="italic")
    if line.why and line.why != line.reason:
        text.append(f"  “{line.why}”", style="dim")
    return text


class Restraint:
    """Lets so many lines a second pass, and after a rest a few more at once."""

    def __init__(self, per_second: float, at_once: float, clock: Callable[[], float]) -> None:
        self._rate, self._most, self._clock = per_second, at_once, clock
        self._left, self._then = at_once, clock()

    def lets(self) -> bool:
        """Whether one more may pass now."""
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._then) * self._rate)
        self._then = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
