"""From a step that is due to its records: gates, sends, recalls."""

from collections.abc import Callable
from dataclasses import replace

from . import gates
from .model import DAY, Decision, Rule, Step
from .person import Person, Rank, Send
from .readings import Readings
from .rules import audiences_of, value_of
from .variants import channels_of, told_of
from .waits import Deferred, Wait

RECALL_WINDOW = 7 * DAY


class Delivery:
    """Judges steps and writes the decisions, in the order in which they are made."""

    def __init__(  # noqa: PLR0913 - each is a switch of its own
        self,
        *,
        assume: bool,
        quiet_hours: bool,
        readings: Readings,
        waits: list[Wait],
        rates: dict[str, tuple[int, int]],
        window: int = 0,
        is_silent: Callable[[int], bool] = lambda _: False,
        is_untrue: Callable[[Step, Person, int], bool] = lambda _step, _person, _now: False,
    ) -> None:
        self.assume = assume
        self.quiet_hours = quiet_hours
        self.readings = readings
        self.waits = waits
        self.window = window
        self.is_silent = is_silent
        self.is_untrue = is_untrue
        self.decisions: list[Decision] = []
        self.rates = rates
        self.free: dict[str, int] = {}
        self.messages: list[Send] = []

    def passes_again(self, step: Step, person: Person, now: int) -> bool:
        """Judge `again` at step 1; a stop is recorded, a pass remembered."""
        if step.number > 1:
            return True
        if gates.again_stops(step.rule, person, step.subject, now):
            self.stop(step, person, "again")
            return False
        person.passed_again[step.rule.name, step.subject] = now
        if step.rule.name == "service_care":
            person.no_marketing_until = max(person.no_marketing_until, now + 7 * DAY)
        return True

    def stop(self, step: Step, person: Person, reason: str) -> None:
        """Record that a gate before the channels' own stopped a step, and its audience."""
        for own in self.by_channel(step, person):
            self.record(own, reason, own.rule.channels[0], "send")
        if step.number == 1 and self.readings.audience_passes_gates:
            for audience in audiences_of(step.rule, person, step.subject):
                self.record(step, reason, "ads", "add", audience)

    def offer(self, step: Step, person: Person, now: int) -> None:
        """Judge the gates from consent on, for the message and then for the audience."""
        value = value_of(step.rule, step.subject, person)
        for own in self.by_channel(step, person):
            self.judge(own, person, now, "stale" if gates.is_stale(step.due, now) else "", value)
        for audience in audiences_of(step.rule, person, step.subject) if step.number == 1 else ():
            self.offer_audience(step, person, now, audience)

    def by_channel(self, step: Step, person: Person) -> list[Step]:
        """The step itself, or one for each of its channels that is allowed and reachable, if there is any."""
        rule = step.rule
        if not rule.every:
            return [step]
        usable = [
            channel
            for channel in rule.channels
            if gates.has_consent(person, channel, assume=self.assume, began=step.since())
            and gates.is_reachable(person, channel)
        ]
        single = [replace(step, rule=replace(rule, channels=(channel,), every=False)) for channel in usable]
        return single or [step]

    def release(self, deferred: Deferred, person: Person, now: int, *, closed: bool) -> None:
        """Judge a deferred message anew, `again` apart; the wait itself makes nothing stale."""
        step = deferred.held_step
        if closed:
            self.record(step, "closed", step.rule.channels[0], "send")
        else:
            self.judge(step, person, now, "", deferred.value, deferred.rank)

    def judge(  # noqa: C901 - gate after gate
        self, step: Step, person: Person, now: int, late: str, value: float, rank: Rank | None = None
    ) -> None:
        """Judge all gates from the pause on, and record the message or let it wait."""
        paused = step.rule.guarded and self.is_silent(now)
        channels, reason = gates.open_channels(
            step.rule, person, now, channels_of(step), assume=self.assume, began=step.since(), paused=paused
        )
        channel = channels[0]
        untrue = gates.is_expired(step, now) or self.is_untrue(step, person, now)
        reason = reason or late or ("stale" if untrue else "")
        until = None if reason else self.morning(step.rule, person, channel, self.free_from(channel, now))
        if not reason and until is None and gates.is_capped(step.rule, person, channel, now):
            reason = "cap"
            roomy = [c for c in channels if not gates.is_capped(step.rule, person, c, now)]
            if step.rule.over_cap == "next_channel" and roomy:
                channel, reason = roomy[0], ""
                until = self.morning(step.rule, person, channel, self.free_from(channel, now))
            if step.rule.over_cap == "defer":
                until = self.room(step, person, channel, now)
        if not reason and until is None and self.window and step.rule.purpose == "marketing":
            if rank is None:
                rank = (-value, -step.rule.priority, step.due, step.rule.name, step.subject, step.number)
                until = now + self.window
                if step.rule.expires:
                    until = min(until, step.due + step.rule.expires - 1)
            elif any(rival < rank for rival in self.rivals(person, now)):
                reason = "outbid"
        if until is not None:
            self.waits.append(Deferred(step, until, value, rank))
            return
        if not reason and self.is_at_its_ceiling(step.rule, now):
            reason = "ceiling"
        leaves = None if reason else self.take_moment(channel, now)
        if not reason:
            person.sends.append(Send(step, channel, now, leaves=leaves or 0, rank=rank))
            self.messages.append(person.sends[-1])
        code, good_until = self.promise(step, person, now) if not reason else ((), 0)
        self.record(step, reason, channel, "send", code=code, good_until=good_until)
        said = self.decisions.pop()
        self.decisions.append(replace(said, not_before=leaves))

    def promise(self, step: Step, person: Person, now: int) -> tuple[tuple[str, ...], int]:
        """Whose code a message has, and until when; the code of an earlier step only while it is good."""
        for number, first, lasts in step.rule.offers:
            if number == step.number:
                code = (step.person, step.rule.name, step.subject, step.episode, str(first))
                until = person.codes.setdefault(code, now + lasts)
                return (code, until) if now < until else ((), 0)
        return (), 0

    def is_at_its_ceiling(self, rule: Rule, now: int) -> bool:
        """Whether the rule has sent to everybody what it may in this stretch of time, counted from 1970."""
        if rule.ceiling is None:
            return False
        most, window = rule.ceiling
        begun = now - now % window
        mine = [send for send in self.messages if send.step.rule.name == rule.name and send.time >= begun]
        return len(mine) >= most

    def free_from(self, channel: str, now: int) -> int:
        """When the channel's rate lets the next message go."""
        return max(now, self.free.get(channel, 0)) if channel in self.rates else now

    def take_moment(self, channel: str, now: int) -> int | None:
        """The moment at which this message leaves, None without a rate; the next is free a distance later."""
        if channel not in self.rates:
            return None
        count, window = self.rates[channel]
        leaves = self.free_from(channel, now)
        self.free[channel] = leaves + window // count
        return leaves

    def rivals(self, person: Person, now: int) -> list[Rank]:
        """What else the person got, or is about to get, within the window around now."""
        sent = [send.rank for send in person.sends if now - self.window < send.time]
        coming = [
            wait.rank
            for wait in self.waits
            if isinstance(wait, Deferred) and wait.person == person.id
            if not wait.ended and wait.release < now + self.window
        ]
        return [rank for rank in sent + coming if rank is not None]

    def morning(self, rule: Rule, person: Person, channel: str, now: int) -> int | None:
        """When the person's night ends, None by day."""
        return gates.quiet_until(rule, person, channel, now) if self.quiet_hours else None

    def room(self, step: Step, person: Person, channel: str, now: int) -> int | None:
        """When the caps have room and it is day; None where that is too late for the message."""
        moment = gates.room_from(step.rule, person, channel, now)
        if moment is None:
            return None
        moment = self.morning(step.rule, person, channel, moment) or moment
        return None if step.rule.expires and moment - step.due >= step.rule.expires else moment

    def offer_audience(self, step: Step, person: Person, now: int, audience: str) -> None:
        """Judge an addition to an audience: no quiet hours, no caps."""
        paused = step.rule.guarded and self.is_silent(now)
        _, reason = gates.open_channels(
            step.rule, person, now, ("ads",), assume=self.assume, began=step.since(), paused=paused
        )
        if not reason and (gates.is_stale(step.due, now) or gates.is_expired(step, now)):
            reason = "stale"
        if not reason:
            person.sends.append(Send(step, "ads", now, audience))
        if not reason or self.readings.audience_passes_gates:
            self.record(step, reason, "ads", "add", audience)

    def take_back(self, send: Send, person: Person, due: int, now: int) -> None:
        """Recall a message, or leave an audience, while that is still worth it."""
        window = self.readings.removal_window_ms if send.channel == "ads" else RECALL_WINDOW
        lasts = window is None or now - send.time < window
        if send.step.rule.expires and send.channel != "ads":
            lasts = now < send.step.due + send.step.rule.expires
        if send.undone or not lasts:
            return
        if send.step.rule.by_set and send.channel == "ads" and self.is_kept(send, person, max(due, now)):
            send.undone = True
        else:
            self.undo(send, due)

    def is_kept(self, send: Send, person: Person, now: int) -> bool:
        """Whether the person is in the same audience by something else too, which has not run out."""
        others = [one for one in person.sends if one is not send and one.audience == send.audience]
        return any(not one.undone and now < one.step.due + RECALL_WINDOW for one in others)

    def undo(self, send: Send, due: int) -> None:
        """Record a recall or a removal; neither passes a gate."""
        send.undone = True
        done = send.step
        step = Step(done.rule, done.person, done.subject, done.number, due)
        self.record(step, "", send.channel, "remove" if send.channel == "ads" else "recall", send.audience)

    def record(
        self, step: Step, reason: str, channel: str, operation: str, audience: str = "",
        code: tuple[str, ...] = (), good_until: int = 0,
    ) -> None:  # fmt: skip
        """Write a final record."""
        rule: Rule = step.rule
        self.decisions.append(
            Decision(
                rule=rule.name,
                person=step.person,
                subject_kind=rule.kind,
                subject_id=step.subject,
                step=step.number,
                due=step.due,
                outcome="suppressed" if reason else "sent",
                reason=reason,
                channel=channel,
                operation=operation,
                audience=audience,
                experiment=told_of(step) if operation == "send" else None,
                code=code,
                good_until=good_until,
            )
        )
