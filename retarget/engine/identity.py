"""Identity: an anonymous person turns out to be a known one, and their histories become one."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, TypeVar

from msgspec.structs import replace

from retarget.engine import dates, endings, merging, recalls
from retarget.engine.moment import Met, Moment, Parted
from retarget.engine.recalls import Undoing
from retarget.journeys import tokens
from retarget.journeys.model import Deferred, Episode, Journey, Send
from retarget.rules import tallies
from retarget.rules.matcher import Compiled, Matcher
from retarget.rules.model import NEVER, Rule
from retarget.rules.scene import Scene
from retarget.touchpoints import ABOUT_MESSAGES, Touchpoint

_T = TypeVar("_T")
PERSON: Final = "person"
PUSH: Final = "push"
# Said in so many words; it is heard again, as a device may have been somebody else's meanwhile.
SAYING: Final = frozenset({"identify", "alias"})


def meet(journey: Journey, event: Touchpoint, moment: Moment) -> None:
    """An anonymous id stands beside a person for the first time, or is said to be theirs once more."""
    anonymous, policy = event.anonymous_id or "", moment.policy
    if not anonymous or policy.is_nobody(anonymous) or journey.was_erased(event.time):
        return
    if anonymous in policy.apart and anonymous != journey.person:
        if event.type in SAYING:
            moment.counts["unjoined", "apart"] += 1
        return
    if journey.anonymous_id is None:
        journey.anonymous_id = anonymous
    if event.user_id is None or anonymous == journey.person:
        return
    known = journey.joined.get(anonymous)
    if known is not None and event.type not in SAYING:
        return
    if known is None and len(journey.joined) >= policy.most_joined:
        moment.counts["unjoined", "too_many"] += 1
        return
    journey.joined[anonymous] = max(event.time, known or 0)
    told = tokens.told(event.traits)
    moment.met.append(Met(anonymous, journey.person, event.time, event.id or "", told))


def hand_over(
    journey: Journey, anonymous: str, at: int, gone: Collection[str], matcher: Matcher, moment: Moment
) -> bool:
    """A device is somebody else's from a time on, and so are its tokens; whether that changes anything.

    What was pushed there, and may still be called back, is. Without any other token the person has no pushes
    until a device tells one. Nothing comes of it when they have signed in there once more since.
    """
    if journey.was_erased(at) or journey.joined.get(anonymous, at) > at:
        return False
    left = tokens.without(journey.traits, gone)
    taken = left != journey.traits
    if not taken and journey.anonymous_id != anonymous:
        return False
    if journey.anonymous_id == anonymous:
        journey.anonymous_id = None
    if taken:
        journey.traits = tokens.only(journey.traits, gone)
        _call_back_pushes(journey, at, matcher, moment)
        journey.traits = left
        if not tokens.told(left) and PUSH not in journey.bounced:
            journey.bounced.append(PUSH)
    return True


def _call_back_pushes(journey: Journey, at: int, matcher: Matcher, moment: Moment) -> None:
    for send in recalls.open_sends(journey, max(at, moment.clock)):
        if send.channel == PUSH:
            recalls.recall(journey, send, Undoing(recalls.rule_of(matcher, send), at, ""), moment)


def is_past(journey: Journey, event: Touchpoint) -> bool:
    """Whether an event of somebody who was erased belongs to the time before.

    So does what came of a message, as long as they have done nothing since.
    """
    return journey.was_erased(event.time) or (event.type in ABOUT_MESSAGES and not journey.recent_marks)


def part(journey: Journey, event: Touchpoint, moment: Moment) -> None:
    """Let every anonymous id go of a person who is about to be forgotten, also one that the event names."""
    meet(journey, event, moment)
    journey.erased_at = max(event.time, moment.clock)
    moment.met += [Parted(anonymous, journey.person, journey.erased_at) for anonymous in journey.joined]


def join(journey: Journey, other: Journey, matcher: Matcher, scene: Scene, moment: Moment) -> None:
    """Put the history of an anonymous person into the journey of whom they turned out to be.

    What either has sent counts for both; episodes that the other side has ended, or has been sent for, are
    over without a decision; messages that are due on both sides leave once.
    """
    _rename(other, journey.person, matcher)
    for compiled in matcher.becomes:
        # Its audience was left: the next event finds what the person is now.
        other.states.pop(compiled.name, None)
    moment.counts["joined",] += 1
    for rule, double in _doubles(journey, other, matcher):
        moment.counts["merge_double", rule] += double
    merging.latest(journey.ended, other.ended)
    other.ended = dict(journey.ended)
    for one, by in ((journey, other), (other, journey)):
        _close_ended(one, matcher, moment)
        _close_served(one, by, matcher)
    merging.merge(journey, other, moment.dedupe_window)
    _expect_anew(journey, other, matcher, moment)
    _look_at_conditions(journey, matcher, scene, moment)
    _take_back(journey, matcher, moment)
    for name, product in journey.products.items():
        # The other has stopped hearing of products when they left.
        if product.followed or (matcher.follows and name in other.products):
            product.followed = True
            moment.follow(name, journey.person, follows=True)
    dues = [episode.due for by_subject in journey.episodes.values() for episode in by_subject.values()]
    dues += [deferred.release for deferred in journey.deferred]
    if dues:
        moment.arm(journey, min(dues))


def _rename(other: Journey, person: str, matcher: Matcher) -> None:
    """Let what is about the person themselves be about the known one."""
    before = other.person
    about = {name for name, compiled in matcher.rules.items() if compiled.rule.subject == PERSON}
    for rule in about:
        _move(other.episodes.get(rule, {}), before, person)
        _move(other.marks.get(rule, {}), before, person)
    for name, by_subject in other.tallies.items():
        if tallies.kind_of(name) == PERSON:
            _move(by_subject, before, person)
    for kept in (other.sends, other.deferred, other.offers):
        for one in kept:
            if one.rule in about and one.subject == before:
                one.subject = person
    for deferred in other.deferred:
        deferred.person = deferred.person or before
    for send in other.sends:
        send.key = send.key or before
    ending = f" {PERSON} {before}"
    for what in [what for what in other.ended if what.endswith(ending)]:
        other.ended[f"{what.removesuffix(ending)} {PERSON} {person}"] = other.ended.pop(what)


def _move(by_subject: dict[str, _T], before: str, person: str) -> None:
    if before in by_subject:
        by_subject[person] = by_subject.pop(before)


def _doubles(journey: Journey, other: Journey, matcher: Matcher) -> Iterator[tuple[str, int]]:
    """What both sides have sent that one person would have got once, by rule."""
    for send in other.sends:
        if any(_same(send, mine, matcher) for mine in journey.sends):
            yield send.rule, 1


def _same(send: Send, mine: Send, matcher: Matcher) -> bool:
    if (send.rule, send.subject, send.step) != (mine.rule, mine.subject, mine.step):
        return False
    if send.message_id == mine.message_id or send.rule not in matcher.rules:
        return False
    return _too_soon(matcher.rules[send.rule].rule, abs(send.at - mine.at))


def _too_soon(rule: Rule, apart: int) -> bool:
    return rule.again == NEVER or apart < rule.again or not apart


def _close_served(journey: Journey, by: Journey, matcher: Matcher) -> None:
    """Close what the other side has been sent for since it was last touched here, or would be sent again."""
    for rule, by_subject in list(journey.episodes.items()):
        for subject in [s for s, episode in by_subject.items() if _is_served(episode, rule, s, by)]:
            journey.close(rule, subject)
    for deferred in journey.deferred:
        if deferred.rule in matcher.rules and _would_repeat(deferred, by, matcher.rules[deferred.rule].rule):
            deferred.closed = True


def _is_served(episode: Episode, rule: str, subject: str, by: Journey) -> bool:
    if episode.step > 1 or subject in by.episodes.get(rule, ()):
        return False
    return any(s.rule == rule and s.subject == subject and s.at >= episode.touched for s in by.sends)


def _would_repeat(deferred: Deferred, by: Journey, rule: Rule) -> bool:
    what = (deferred.rule, deferred.subject, deferred.step)
    if any(
        (s.rule, s.subject, s.step) == what and _too_soon(rule, abs(s.at - deferred.due)) for s in by.sends
    ):
        return True
    # Of two that wait for the same, that of the person who comes first by name of event goes out.
    mine = (deferred.due, deferred.episode, deferred.person)
    waiting = (d for d in by.deferred if (d.rule, d.subject, d.step) == what and not d.closed)
    return any((d.due, d.episode, d.person) < mine for d in waiting if d.channel == deferred.channel)


def _close_ended(journey: Journey, matcher: Matcher, moment: Moment) -> None:
    """Close what an ending has reached, whichever side knew it; what counts afresh after it does so."""
    for name, compiled in matcher.rules.items():
        if compiled.own_tally:
            _start_afresh(journey, compiled)
        if not compiled.endings or compiled.yearly:
            continue
        for subject, episode in list(journey.episodes.get(name, {}).items()):
            if endings.last_ending(journey, compiled, subject, episode.about) > episode.touched:
                journey.close(name, subject)
            elif episode.step > 1:
                _end_series(journey, compiled, subject, episode, moment)
        for deferred in [one for one in journey.deferred if one.rule == name]:
            last = endings.last_ending(journey, compiled, deferred.subject, deferred.about)
            deferred.closed |= last > _touched(compiled, deferred.due, deferred.step)


def _end_series(journey: Journey, compiled: Compiled, subject: str, episode: Episode, moment: Moment) -> None:
    """End what reminds of a time before an ending that only the other side knew; what came since stays.

    A touch opens nothing while steps wait, so one that came after the ending would have opened a new episode.
    Which products were there before it is not kept: what ends by product alone ends by its last touch only.
    """
    if endings.last_ending(journey, compiled, subject, ()) <= _touched(compiled, episode.due, episode.step):
        return
    journey.close(compiled.name, subject)
    due = episode.touched + (compiled.quiet.after if compiled.quiet is not None else 0)
    if compiled.quiet is None or due <= moment.clock:
        return  # one person would have had it before anybody knew
    latest = episode.evidence[-1:]
    begun = replace(
        episode, opened_by=latest[0] if latest else episode.opened_by, opened=episode.touched, due=due,
        step=1, decided=0, counts={}, evidence=latest,
    )  # fmt: skip
    journey.episodes.setdefault(compiled.name, {})[subject] = begun


def _expect_anew(journey: Journey, other: Journey, matcher: Matcher, moment: Moment) -> None:
    for compiled in matcher.rules.values():
        for subject in other.tallies.get(compiled.tally, ()) if compiled.date is not None else ():
            dates.renew(journey, compiled, subject, moment)


def _look_at_conditions(journey: Journey, matcher: Matcher, scene: Scene, moment: Moment) -> None:
    """Close what is over by all that is known now."""
    scene.of_wait(journey, moment.clock)
    for compiled in matcher.conditional:
        for subject in list(journey.episodes.get(compiled.name, ())) if not compiled.yearly else ():
            try:
                if endings.condition_holds(compiled, subject, scene):
                    journey.close(compiled.name, subject)
            except Exception as error:  # noqa: BLE001 - the other rules go on
                moment.fail(compiled.name, error)
                # It may have been over, and nobody is written to after that.
                journey.close(compiled.name, subject)


def _take_back(journey: Journey, matcher: Matcher, moment: Moment) -> None:
    """Call back what was sent although the other side had ended it, or has ended it since."""
    for send in journey.sends:
        compiled = matcher.rules.get(send.rule)
        if compiled is None or moment.clock >= send.until:
            continue
        ended = endings.last_ending(journey, compiled, send.subject, send.about)
        if ended > _touched(compiled, send.at, send.step):
            try:
                recalls.recall(journey, send, Undoing(compiled.rule, ended, ""), moment)
            except Exception as error:  # noqa: BLE001 - the other rules go on
                moment.fail(send.rule, error)


def _touched(compiled: Compiled, due: int, step: int) -> int:
    """When an episode was last touched whose step came due then, at the latest."""
    steps = compiled.rule.steps
    waited = steps[step - 1].after if 0 < step <= len(steps) else 0
    return due - waited - (compiled.quiet.after if compiled.quiet is not None else 0)


def _start_afresh(journey: Journey, compiled: Compiled) -> None:
    """Count from the last ending on, wherever it was known."""
    by_subject, wide = journey.tallies.get(compiled.tally, {}), tallies.width(compiled.tally)
    for subject, tally in list(by_subject.items()):
        last = endings.last_ending(journey, compiled, subject, (subject,))
        kept = [at for at in range(0, len(tally), wide) if tally[at + wide - 1] > last]
        by_subject[subject] = [part for at in kept for part in tally[at : at + wide]]
        if not kept:
            del by_subject[subject]
