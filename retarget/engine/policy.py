"""The policy: every setting that decides, as one frozen value that belongs to the bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Final, NamedTuple

import msgspec

from retarget.engine.pools import Pool
from retarget.engine.shops import Shop
from retarget.personal.senders import Sender
from retarget.times import DAY, HOUR, MINUTE

EXTERNAL: Final = frozenset({"email", "push", "ads", "sms", "whatsapp", "direct_mail", "service"})


class Cap(NamedTuple):
    """At most `most` sends in (t - within, t]; within in ms."""

    most: int
    within: int


class QuietHours(msgspec.Struct, frozen=True, kw_only=True):
    """The hours in which nobody is disturbed, in minutes of the person's local day."""

    enabled: bool = True
    start: int = 21 * 60
    end: int = 8 * 60
    zone: str = "UTC"
    spread: int = 30 * MINUTE


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What the gates hold candidates against. Durations are ms.

    `caps_total` count marketing over all channels; `caps` holds further ones by channel, purpose or tag.
    `zone_of` finds a time zone by its IANA name and answers None for an unknown one. On `external` channels
    the channel service looks up the address of an identified person. `pace` is the distance that a lane keeps
    between two messages of a channel, in us; channels without one are not paced. Ceilings are shared by
    `lanes`; with 0 there are none. Messages of one person compete for `arbitration`, 0: never. Guarded rules
    pause after `purchase_silence` without a purchase, 0: never. `offer_secret` is what codes of offers cannot
    be worked out without; `pools` are those from files; a person has `open_codes` of them at once, 0: as many
    as rules give. Ids of `nobody`, in small letters, are those of no one person; a person has `most_joined`
    anonymous ids at most, and none of those that stay
    `apart`. Messages tell people which of the `shops` is next to them.

    `language` is that of people who have told no locale, and `formal` how they are greeted unless they wish
    otherwise. One of `senders`, drawn by `sender_seed`, writes to each person. Prices of the catalogue are in
    `catalogue_currency`; empty: in that in which the person has seen the product. Links are good for
    `purl_lasts`; `seal` makes the last part of their address of what they hold, always the same of the same;
    without one there are none.

    Of whom nothing is heard for `kept`, for `kept_anonymous` where nobody knows who they are, is forgotten.

    Grants of the channels of `double_opt_in` count when they are confirmed; a click in a message of the rule
    `confirmed_by` does that.
    """

    zone_of: Callable[[str], tzinfo | None]
    max_age: int = 30 * DAY
    kept: int = 400 * DAY
    kept_anonymous: int = 400 * DAY
    dedupe_window: int = DAY
    max_delay: int = HOUR
    consent_assumed: bool = False
    double_opt_in: frozenset[str] = frozenset()
    confirmed_by: str = ""
    external: frozenset[str] = EXTERNAL
    quiet_hours: QuietHours = QuietHours()
    caps_total: tuple[Cap, ...] = (Cap(3, DAY), Cap(8, 7 * DAY))
    caps: Mapping[str, tuple[Cap, ...]] = msgspec.field(
        default_factory=lambda: {"direct_mail": (Cap(1, 30 * DAY),)}
    )
    hold_out: float = 0.0
    hold_out_salt: str = "retarget"
    purl_base: str = ""
    purl_lasts: int = 30 * DAY
    seal: Callable[[bytes], str] | None = None
    pace: Mapping[str, int] = msgspec.field(default_factory=dict)
    lanes: int = 1
    arbitration: int = 0
    purchase_silence: int = 0
    offer_secret: str = ""
    pools: Mapping[str, Pool] = msgspec.field(default_factory=dict)
    open_codes: int = 0
    nobody: frozenset[str] = frozenset()
    most_joined: int = 50
    apart: frozenset[str] = frozenset()
    shops: tuple[Shop, ...] = ()
    language: str = ""
    formal: bool = True
    senders: tuple[Sender, ...] = ()
    sender_seed: str = ""
    catalogue_currency: str = ""

    def is_nobody(self, person: str) -> bool:
        """Whether this id stands for no one person."""
        return person.strip().casefold() in self.nobody

    def longest_cap(self) -> int:
        """The longest window in which sends must be remembered, ms; people may ask for a limit per week."""
        every = [*self.caps_total, *(cap for caps in self.caps.values() for cap in caps)]
        return max([7 * DAY, self.arbitration, *(cap.within for cap in every)])
