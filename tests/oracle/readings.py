"""The doubtful readings of the contract as switches; READING.md gives the sentence behind each."""

from dataclasses import dataclass

DAY_MS = 86_400_000


@dataclass(frozen=True, kw_only=True)
class Readings:
    """One choice per doubtful sentence; the defaults are the readings of READING.md."""

    audience_passes_gates: bool = True
    late_touch_sees_past_endings: bool = True
    held_remove_is_known: bool = True
    closed_ends_episode: bool = False
    choice_overload_starts_afresh: bool = False
    removal_window_ms: int | None = 7 * DAY_MS
    stage_of_touched_products: bool = False
    stage_judged_on: str = "any"
