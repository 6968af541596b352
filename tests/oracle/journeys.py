"""What an applied event does to the open episodes, and what happens when a wait falls due."""

from dataclasses import replace
from typing import Any

from . import catalogue, gates, rules
from .catalogue import Catalogue, News
from .delivery import Delivery
from .model import DAY, Event, Rule, Step, person_of
from .person import Effect, Person, change
from .readings import Readings
from .waits import Deferred, Episode, Wait

MAX_AGE = 30 * DAY


class Journeys:
    """The people of a lane and everything that waits for them."""

    def __init__(
        self,
        chosen: list[Rule],
        *,
        assume_consent: bool,
        quiet_hours: bool,
        readings: Readings,
        rates: dict[str, tuple[int, int]],
        window: int = 0,
        silence: int = 0,
    ) -> None:
        self.rules = sorted(chosen, key=lambda rule: (-rule.priority, rule.name))
        self.readings = readings
        self.people: dict[str, Person] = {}
        self.waits: list[Wait] = []
        self.silence = silence
        self.catalogue: Catalogue = {}
        self.delivery = Delivery(
            assume=assume_consent,
            quiet_hours=quiet_hours,
            readings=readings,
            waits=self.waits,
            rates=rates,
            window=window,
            is_silent=self.is_silent,
            is_untrue=self.is_untrue,
        )

    def publish(self, changed: dict[str, dict[str, Any]]) -> None:
        """Take other versions of rules for what opens from now on."""
        self.rules = [
            replace(rule, **changed[rule.name]) if rule.name in changed else rule for rule in self.rules
        ]

    # --- events ----------------------------------------------------------------------------------

    def apply(self, event: Event, now: int, known: list[Event]) -> None:
        """Apply an event: state first, then endings, touches, and what it completes; `known` are held."""
        name = person_of(event)
        if not name:
            return
        person = self.people.setdefault(name, Person(name))
        if person.has_applied(event):
            return
        effect = change(person, catalogue.shown(self.catalogue, event))
        self.end_episodes(person, event, effect)
        self.take_back_sends(person, event, effect, now)
        if event["time"] >= now - MAX_AGE:
            self.touch_episodes(person, event, effect)
            self.set_dates(person, event)
            self.decide_completed(person, event, known, now)

    def hear(self, record: Event, now: int, known: list[Event]) -> None:
        """Take in a record of the catalogue: everybody it concerns hears of it, person by person."""
        for news in catalogue.learn(self.catalogue, record):
            for name in sorted(self.people):
                self.decide_news(news, self.people[name], now, known)

    def decide_news(self, news: News, person: Person, now: int, known: list[Event]) -> None:
        """Decide the rules about the catalogue for one person; `known` are the events read but held."""
        if not catalogue.is_interested(person, news.product, news.time):
            return
        for rule in self.rules:
            if not rule.of_catalogue or not catalogue.completes(rule.name, news):
                continue
            step = Step(rule, person.id, news.product, 1, news.time)
            if not self.is_meant(step, person):
                continue
            if self.is_closed(step, person, known):
                self.delivery.stop(step, person, "closed")
            elif self.delivery.passes_again(step, person, now):
                self.delivery.offer(step, person, now)

    def is_meant(self, step: Step, person: Person) -> bool:
        """Whether what a rule about the catalogue says is true now, and news to the person."""
        seen = rules.last_seen_price(person, step.subject)
        listed = self.catalogue[step.subject]
        bought = catalogue.has_bought(person, step.subject, step.due)
        return not bought and catalogue.holds(step.rule.name, listed, seen)

    def is_untrue(self, step: Step, person: Person, now: int) -> bool:
        """Whether a message about a product would say what is not so: it is gone, or has changed since."""
        if step.rule.kind != "product":
            return False
        if catalogue.is_gone(self.catalogue, step.subject, now):
            return True
        return step.rule.of_catalogue and not self.is_meant(step, person)

    def is_silent(self, now: int) -> bool:
        """Whether the guard is on and the last purchase of anybody was longer ago than it allows."""
        everything = [event for person in self.people.values() for event in person.events]
        bought = [event["time"] for event in everything if event["type"] == "purchase"]
        return bool(self.silence) and (not bought or now - max(bought) > self.silence)

    def end_episodes(self, person: Person, event: Event, effect: Effect) -> None:
        """End the episodes that the event ends."""
        for wait in list(self.waits):
            if wait.person == person.id and rules.ends(wait.rule.name, wait.subject, event, effect):
                if isinstance(wait, Deferred):
                    wait.ended = True
                else:
                    self.forget(wait)

    def take_back_sends(self, person: Person, event: Event, effect: Effect, now: int) -> None:
        """Recall what was sent for the episodes that the event ends, over or not."""
        for send in person.sends:
            if rules.ends(send.step.rule.name, send.step.subject, event, effect):
                self.delivery.take_back(send, person, event["time"], now)
        if gates.is_a_word(event):
            self.take_back_withdrawn(person, event["time"], now)

    def take_back_withdrawn(self, person: Person, said: int, now: int) -> None:
        """Recall what was sent, and leave audiences that were joined, by a consent that does not hold now."""
        for send in person.sends:
            allowed = gates.has_consent(person, send.channel, assume=self.delivery.assume)
            if send.step.rule.purpose != "marketing" or allowed or send.undone:
                continue
            if send.step.rule.by_stage and send.channel == "ads":
                self.delivery.undo(send, said)
            else:
                self.delivery.take_back(send, person, said, now)

    def touch_episodes(self, person: Person, event: Event, effect: Effect) -> None:
        """Open episodes, or start the wait of their step 1 again."""
        for rule in self.rules:
            for subject in rules.touched_subjects(rule.name, person, event, effect):
                if self.comes_after_its_end(rule, subject, person, event):
                    continue
                episode = self.episode(rule, person, subject)
                if episode is None and rules.shuts(rule.name, effect):
                    continue
                if episode is None:
                    episode = Episode(rule, person.id, subject, touched=event["time"], opened_by=event["id"])
                    self.waits.append(episode)
                if episode.number == 1 and not rule.plain_delay:
                    episode.touched = max(episode.touched, event["time"])
                    episode.views += 1

    def set_dates(self, person: Person, event: Event) -> None:
        """Let the rules by date wait for what the event has told, in place of what they waited for."""
        for rule in self.rules:
            if rule.yearly:
                self.set_turn(rule, person, event)
            for subject, date in rules.dates_of(rule.name, person, event).items():
                waiting = self.episode(rule, person, subject)
                version = waiting.rule if waiting is not None else rule
                if waiting is not None:
                    self.forget(waiting)
                if date is not None and date > event["time"]:
                    self.waits.append(Episode(version, person.id, subject, touched=event["time"], date=date))

    def set_turn(self, rule: Rule, person: Person, event: Event) -> None:
        """Let a yearly rule wait for its next turn, as the day or the zone just told have it."""
        if not {"day", "timezone"} & set(event.get("traits") or {}):
            return
        waiting = self.episode(rule, person, person.id)
        if waiting is not None:
            self.forget(waiting)
        self.wait_for_turn(rule, person, event["time"])

    def wait_for_turn(self, rule: Rule, person: Person, after: int) -> None:
        """Wait for the first turn after a moment."""
        turn = rules.next_turn(person, after)
        if turn is not None:
            year, due = turn
            self.waits.append(Episode(rule, person.id, person.id, touched=after, date=due, year=year))

    def comes_after_its_end(self, rule: Rule, subject: str, person: Person, touch: Event) -> bool:
        """Whether an event that was applied, of a later time than the touch, ends the episode by its type."""
        if not self.readings.late_touch_sees_past_endings:
            return False
        later = [event for event in person.events if event["time"] > touch["time"]]
        return any(rules.ends(rule.name, subject, event, Effect()) for event in later)

    def decide_completed(self, person: Person, event: Event, known: list[Event], now: int) -> None:
        """Decide the count and event rules, and the stage, at this event."""
        for rule in self.rules:
            if rule.by_stage:
                self.judge_stage(rule, person, event, now)
                continue
            for subject in sorted(rules.completed_subjects(rule.name, person, event, self.readings)):
                if self.episode(rule, person, subject) or self.comes_after_its_end(
                    rule, subject, person, event
                ):
                    continue
                step = Step(rule, person.id, subject, 1, event["time"], event["id"])
                if self.is_closed(step, person, known):
                    self.delivery.stop(step, person, "closed")
                elif self.delivery.passes_again(step, person, now):
                    self.delivery.offer(step, person, now)
                else:
                    continue
                self.open_series(step, now)

    def open_series(self, first: Step, now: int) -> None:
        """Let the later steps wait of what was decided at an event."""
        if len(first.rule.steps) > 1:
            episode = Episode(first.rule, first.person, first.subject, first.due, opened_by=first.episode)
            episode.date = first.due
            self.waits.append(episode)
            self.advance(episode, now, over=False)
            episode.date = None

    def judge_stage(self, rule: Rule, person: Person, event: Event, now: int) -> None:
        """Change the person's ad audience when the stage has changed; what the former stage began is over."""
        if self.readings.stage_judged_on == "product" and not event.get("items"):
            return
        stage = rules.stage_of(person, now, self.readings)
        if stage in ("", person.stages.get(rule.name)):
            return
        person.stages[rule.name] = stage
        for wait in [one for one in self.waits if (one.rule.name, one.person) == (rule.name, person.id)]:
            if isinstance(wait, Deferred):
                wait.ended = True
            else:
                self.forget(wait)
        for send in person.sends:
            if send.step.rule.name == rule.name and send.channel == "ads" and not send.undone:
                self.delivery.undo(send, event["time"])
        step = Step(rule, person.id, person.id, 1, event["time"], event["id"])
        self.delivery.offer_audience(step, person, now, stage)
        self.open_series(step, now)

    # --- waits -----------------------------------------------------------------------------------

    def decide(self, wait: Wait, known: list[Event], now: int) -> None:
        """Decide a wait that the clock has reached; `known` are the events read but held."""
        person = self.people[wait.person]
        if isinstance(wait, Deferred):
            self.forget(wait)
            closed = wait.ended or self.is_closed(wait, person, known)
            self.delivery.release(wait, person, now, closed=closed)
            return
        if not condition_holds(wait, person):
            self.forget(wait)
            return
        if wait.rule.yearly:
            person.years_done.add(wait.year)
            self.wait_for_turn(wait.rule, person, wait.due())
        step = wait.step()
        if not step_holds(wait, person):
            self.leave_out(wait, person, known, now)
        elif self.is_closed(wait, person, known):
            self.delivery.stop(step, person, "closed")
            self.advance(wait, now, over=self.readings.closed_ends_episode)
        elif not self.delivery.passes_again(step, person, now):
            self.forget(wait)
        else:
            self.advance(wait, now, over=False)
            self.delivery.offer(step, person, now)

    def leave_out(self, episode: Episode, person: Person, known: list[Event], now: int) -> None:
        """Go on without a step, and without a record; `again` is asked at step 1 all the same."""
        rule, subject = episode.rule, episode.subject
        if episode.number == 1 and not self.is_closed(episode, person, known):
            if gates.again_stops(rule, person, subject, now):
                self.forget(episode)
                return
            person.passed_again[rule.name, subject] = now
        self.advance(episode, episode.due(), over=False)

    def advance(self, episode: Episode, now: int, *, over: bool) -> None:
        """Go to the next step, or forget the episode after its last one."""
        due = episode.due()
        if over or episode.number == len(episode.rule.steps):
            self.forget(episode)
            return
        if episode.number == 1:
            episode.first_due, episode.began = due, episode.since()
        if gates.is_stale(due, now):
            episode.delay += now - due
        episode.number += 1

    def is_closed(self, wait: Wait | Step, person: Person, known: list[Event]) -> bool:
        """Whether an ending event of the episode is known although it is still held."""
        trial = person.copy()
        own = [event for event in known if person_of(event) == person.id]
        for event in sorted(own, key=lambda event: int(event["time"])):
            if trial.has_applied(event):
                continue
            effect = change(trial, event)
            if event["type"] == "remove" and not self.readings.held_remove_is_known:
                continue
            if rules.ends(wait.rule.name, wait.subject, event, effect):
                return True
        return False

    def episode(self, rule: Rule, person: Person, subject: str) -> Episode | None:
        """The open episode of (rule, person, subject)."""
        for wait in self.waits:
            same = (wait.rule.name, wait.person, wait.subject) == (rule.name, person.id, subject)
            if isinstance(wait, Episode) and same:
                return wait
        return None

    def forget(self, wait: Wait) -> None:
        """Take a wait away."""
        for place, other in enumerate(self.waits):
            if other is wait:
                del self.waits[place]
                return


def condition_holds(episode: Episode, person: Person) -> bool:
    """The condition of a quiet rule, judged when it is due."""
    if episode.rule.name == "browse_abandonment":
        return episode.views >= 2
    if episode.rule.name == "win_back":
        return bool(person.orders)
    if episode.rule.name == "dear_checkout":
        return rules.is_dear(person, episode.subject, episode.due())
    return True


def step_holds(episode: Episode, person: Person) -> bool:
    """The condition of one step, judged when it is due; the other steps do not hang on it."""
    if episode.rule.name == "dear_series" and episode.number != 2:
        return rules.is_dear(person, episode.subject, episode.due())
    return True
