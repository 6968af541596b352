"""What people share, such as rates and ceilings: a backtest does not cut it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from retarget.decode import decode_canonical
from retarget.times import MINUTE
from streams import topics
from streams.backtest.parts import run_part
from streams.backtest.pool import OnTrial, Plan
from streams.backtest.reading import Told
from streams.backtest.sends import Sends
from streams.backtest.sharing import Sharing
from streams.backtest.splitting import Splitting, Together
from streams.backtest.trial import Files, run_trial
from streams.commands.screen import bar
from streams.files import sorted_by_time
from streams.ports import Output
from streams.replaying import replay
from streams.settings import load_settings
from tests.factories import NOON, Event, a_view, an_add
from tests.oracle.histories import random_history
from tests.streams.commands.backtest.test_crossing import LANES, of_lane
from tests.streams.commands.backtest.test_parts import in_a_file

REMINDER: Final = """
rule: reminder
subject: cart
quiet: {after: 30m, opens: [add]}
steps: [{channels: [push, email], template: t}]
"""
GUARDED: Final = REMINDER + "guarded: true\n"
WITH_CODES: Final = REMINDER.replace("template: t", "template: t, offer: {percent: 5, expires: 2d, codes: p}")


def on_trial(folder: Path, rule: str, *settings: str) -> OnTrial:
    """A rule under some settings."""
    (folder / "rule.yaml").write_text(rule)
    (folder / "codes").write_text("\n".join(f"CODE{number}" for number in range(40)))
    given = ("consent.assume=granted", "clock.lateness=0s", "quiet_hours.enabled=false", *settings)
    return Plan(load_settings(None, {}, given), folder / "rule.yaml").bundles()


@pytest.mark.parametrize(
    ("rule", "setting", "shared"),
    [
        (REMINDER + "ceiling: 3/1d\n", "caps.total=off", "the ceiling of reminder"),
        (REMINDER, "rates.push=1/1d", "the rate of push"),
        (GUARDED, "guard.purchase_silence=8h", "the purchase guard"),
        (WITH_CODES, "offers.codes=p={codes}", "pools of codes"),
    ],
)
def test_over_files_it_is_that_of_a_replay(rule: str, setting: str, shared: str, tmp_path: Path) -> None:
    """One lane, which has all of it: the figures are those of `replay`."""
    setting = setting.format(codes=tmp_path / "codes")
    tried = on_trial(tmp_path, rule, setting)
    file = in_a_file(random_history(11, 800, long_gaps=False))
    sends = Sends(None)
    counts = asyncio.run(replay(sorted_by_time(file), tried.rules, sends))
    source = Files("made-up", iter(file), 0, as_is=False)
    report = run_trial(tried, source, jobs=2, bar=bar)
    assert report.shared == [shared]
    assert report.outcome.rules == sends.figures(counts)
    assert sends.figures(counts).messages() > 20


@pytest.mark.parametrize("setting", ["rates.sms=1/1d", "guard.purchase_silence=8h"])
def test_what_no_rule_asks_for_is_not_shared(setting: str, tmp_path: Path) -> None:
    """A rate of a channel that no rule sends on, and a guard that guards none, leave the lanes to be cut."""
    assert not on_trial(tmp_path, REMINDER, setting).shared


def worked_off(folder: Path, rule: str, told: Sequence[tuple[int, Event]]) -> list[Any]:
    """The decisions over two lanes: each event with the lane it comes to, at its own time."""
    tried = on_trial(folder, rule).over(LANES)
    sharing = max(tried.shared.values())
    is_nobody, outputs = tried.rules.policy.is_nobody, list[Output]()
    splitting = Splitting(folder, lanes=LANES, parts=3, by_time=False, is_nobody=is_nobody, sharing=sharing)
    for lane, event in told:
        found = decode_canonical(json.dumps(event).encode())
        beats = found.type == "heartbeat"
        splitting.add(Told(lane, found.time, None if beats else found, found.time))
    (part,) = splitting.close(ahead=0)
    assert (sharing, type(part)) == (Sharing.ALL, Together)
    run_part(part, tried.rules, outputs.append, lambda _: None)
    return [json.loads(one.value) for one in outputs if one.topic == topics.DECISIONS]


def test_all_lanes_have_one_ceiling(tmp_path: Path) -> None:
    """Twelve people with a cart in each of two lanes, of whom five are reminded, of whichever lane."""
    carts = [
        (lane, an_add("p1", person=of_lane(f"{n}-", lane), at=NOON + n * MINUTE, id=f"{lane}-{n}"))
        for n in range(12)
        for lane in range(LANES)
    ]
    later = [(lane, a_view(person=of_lane("t", lane), at=NOON + 90 * MINUTE)) for lane in range(LANES)]
    found = worked_off(tmp_path, REMINDER + "ceiling: 5/1d\n", [*carts, *later])
    outcomes = Counter((one["outcome"], one["reason"]) for one in found)
    assert outcomes == {("sent", None): 5, ("suppressed", "ceiling"): 19}


def test_a_lane_comes_to_what_it_shares_when_it_did(tmp_path: Path) -> None:
    """A heartbeat makes its reminder due before another lane's, though its next event comes after that."""
    first, second = of_lane("s", 0), of_lane("s", 1)
    told = [
        (0, an_add("p1", person=first, at=NOON, id="a")),
        (1, an_add("p1", person=second, at=NOON + MINUTE, id="b")),
        (0, {"type": "heartbeat", "time": NOON + 40 * MINUTE}),
        (1, a_view(person=second, at=NOON + 50 * MINUTE)),
        (0, a_view(person=first, at=NOON + 60 * MINUTE)),
    ]
    found = worked_off(tmp_path, REMINDER + "ceiling: 1/30d\n", told)
    assert {one["person"]: one["outcome"] for one in found} == {first: "sent", second: "suppressed"}
