"""From a document to cases that can run: read by the grammar, then held against the rules they try."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Final, NamedTuple, get_args

from retarget import catalogue
from retarget.decode import from_mapping
from retarget.engine.caps import known_scopes
from retarget.engine.gates import EVERYTHING
from retarget.errors import BadInput, Rejected
from retarget.rules.model import Channel, Rule
from retarget.rules.names import unknown
from retarget.rules.places import Document, Place, Reading
from retarget.rules.records import built
from retarget.rules.vocabulary import VOCABULARY
from retarget.touchpoints import IMPERSONAL, Item, Touchpoint
from streams.cases.grammar import CASES
from streams.cases.model import Case, CaseFile, Expected, Happening, Prepared, Waiting, moment_of
from streams.lanes.zones import zone_of
from streams.settings import load_settings

# Cases decide at the very moment of an event or wait, and everybody's night ends at the same time.
_PRESETS: Final = {"clock.lateness": "0s", "clock.now": "event", "quiet_hours.spread": "0s"}

_CAPS: Final = "caps."


class Known(NamedTuple):
    """The rules that cases may name: those that can run, and the names of those that are wrong.

    `tags`: those that rules have, wrong ones too.
    """

    rules: Mapping[str, Rule]
    wrong: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()

    def switches(self) -> frozenset[str]:
        """What a kill switch can be of."""
        return frozenset({EVERYTHING, *get_args(Channel), *self.rules, *self.wrong})


class Ready(NamedTuple):
    """A case that can run: where it stands, and the rules it runs, its own first."""

    document: Document
    place: int
    prepared: Prepared
    rules: tuple[Rule, ...]


def read_cases(
    documents: Sequence[Document], known: Known, reported: frozenset[str] = frozenset()
) -> tuple[list[Ready], list[str]]:
    """The cases that can run, and a line for each problem.

    A case of a wrong rule cannot run; that is a problem of its own unless the rule's have been `reported`.
    """
    ready: list[Ready] = []
    problems: list[str] = []
    for document in documents:
        reading = Reading(document, VOCABULARY)
        draft = CASES.read(document.data, reading.root)
        if not reading.problems:
            ready += _Fitting(built(draft), known, reported, reading).cases()
        problems += reading.lines
    return ready, problems


class _Fitting:
    """One file of cases held against the rules; notes what does not fit."""

    def __init__(self, file: CaseFile, known: Known, reported: frozenset[str], reading: Reading) -> None:
        self.file, self.known, self.reported, self.reading = file, known, reported, reading

    def cases(self) -> Iterator[Ready]:
        """The cases that can run."""
        file, root = self.file, self.reading.root
        there = self._there(file.rule, root.child("rule"))
        presets = _presets(file.settings, {}, file.zone, "granted")
        if not (there and self._capped(file.settings, root) and _agree(presets, root.child("settings"))):
            return
        for index, case in enumerate(self.file.cases):
            at = self.reading.root.child("cases").child(index)
            before = len(self.reading.problems)
            found = self._ready(case, at)
            if found is not None and len(self.reading.problems) == before:
                yield Ready(self.reading.document, index, *found)

    def _ready(self, case: Case, at: Place) -> tuple[Prepared, tuple[Rule, ...]] | None:
        there = [
            self._there(name, at.child("with").child(place)) for place, name in enumerate(case.companions)
        ]
        if not all(there):
            return None
        rules = {name: self.known.rules[name] for name in (self.file.rule, *case.companions)}
        self._names(case, rules, at)
        self._paused(case, at)
        self._capped(case.settings, at)
        prepared = self._prepared(case, at)
        if prepared is not None:
            _times(prepared, at)
        return None if prepared is None else (prepared, tuple(rules.values()))

    def _there(self, name: str, at: Place) -> bool:
        if name in self.known.rules:
            return True
        if name not in self.known.wrong:
            at.problem(unknown("rule", name, self.known.rules))
        elif name not in self.reported:
            at.problem(f"found {name}, which has mistakes itself; known: mend them first")
        return False

    def _paused(self, case: Case, at: Place) -> None:
        known = self.known.switches()
        for index, name in enumerate(case.paused):
            if name not in known:
                at.child("paused").child(index).problem(unknown("rule or channel", name, known))

    def _capped(self, settings: Mapping[str, str], at: Place) -> bool:
        """Whether each cap is of something that is there."""
        known = known_scopes(self.known.tags)
        names = [key.removeprefix(_CAPS) for key in settings if key.startswith(_CAPS)]
        wrong = [name for name in names if name not in known]
        for name in wrong:
            at.child("settings").child(_CAPS + name).problem(unknown("cap", name, known))
        return not wrong

    def _names(self, case: Case, rules: Mapping[str, Rule], at: Place) -> None:
        said: list[tuple[Place, Expected | Waiting]] = [
            *((at.child("expect").child(index), one) for index, one in enumerate(case.expect)),
            *((at.child("waits").child(index), one) for index, one in enumerate(case.waits or ())),
        ]
        for place, one in said:
            rule = rules.get(one.rule or self.file.rule)
            if rule is None:
                place.child("rule").problem(unknown("rule of this case", one.rule or "", rules))
            else:
                _fits(one, rule, place)

    def _prepared(self, case: Case, at: Place) -> Prepared | None:
        zone_name = case.zone or self.file.zone
        zone = zone_of(zone_name)
        assert zone is not None, "the grammar lets no other name through"
        presets = _presets(self.file.settings, case.settings, zone_name, case.consent)
        if case.settings and not _agree(presets, at.child("settings")):
            return None
        start = case.start or self.file.start
        events = [
            _record(one, f"e{index + 1}", start, zone)
            if one.fields["type"] == catalogue.TYPE
            else self._event(one, case, f"e{index + 1}", at.child("events").child(index))
            for index, one in enumerate(case.events)
        ]
        for one, event in zip(case.events, events, strict=True):
            event.time = one.at.moment(start, zone)
        if case.traits:
            first = min(moment_of(start, zone), *(event.time for event in events))
            events.append(_profile(case, first))
        return Prepared(
            case=case,
            start=start,
            zone=zone,
            presets=presets,
            touchpoints=tuple(sorted(events, key=lambda event: event.time)),
            until=case.until.moment(start, zone) if case.until is not None else None,
        )

    def _event(self, one: Happening, case: Case, event_id: str, at: Place) -> Touchpoint:
        items = [{"product_id": name, **self.file.products.get(name, {})} for name in one.products]
        whom = {} if one.fields["type"] in IMPERSONAL else _whom(case)
        said = {"id": event_id, **({"items": items} if items else {}), **one.fields, **whom}
        try:
            return from_mapping(said)
        except Rejected as refused:
            at.problem(refused.detail)
            return Touchpoint()  # stands where the problem is noted; the case does not run


def _record(one: Happening, event_id: str, start: datetime, zone: tzinfo) -> Touchpoint:
    """What the catalogue says of a product, as it stands within."""
    said = one.fields
    more = {"margin": said.get("margin")}
    if "expires" in said:
        more["expires"] = said["expires"].moment(start, zone)
    item = Item(product_id=said["product"], price=said.get("price"), quantity=said.get("stock"))
    return Touchpoint(
        id=said.get("id", event_id),
        type=catalogue.TYPE,
        items=[item],
        traits={name: value for name, value in more.items() if value is not None},
    )


def _presets(
    of_file: Mapping[str, str], of_case: Mapping[str, str], zone: str, consent: str
) -> dict[str, str]:
    return {"quiet_hours.zone": zone, "consent.assume": consent, **_PRESETS, **of_file, **of_case}


def _agree(presets: Mapping[str, str], at: Place) -> bool:
    """Whether settings that are right each by itself do not contradict each other."""
    try:
        load_settings(presets=presets)
    except BadInput as error:
        for problem in error.problems:
            at.problem(problem.removeprefix("default: "))
        return False
    return True


def _whom(case: Case) -> dict[str, str]:
    return {"user_id" if case.known else "anonymous_id": case.person}


def _profile(case: Case, begun: int) -> Touchpoint:
    found = from_mapping({"id": "profile", "type": "profile", "traits": case.traits, **_whom(case)})
    found.time = begun - 1
    return found


def _fits(one: Expected | Waiting, rule: Rule, at: Place) -> None:
    """Steps, templates and audiences are such as the rule has."""
    if one.step is not None and one.step > len(rule.steps):
        at.child("step").problem(f"found the number {one.step}; known: {rule.name} has {len(rule.steps)}")
    if isinstance(one, Waiting):
        return
    templates = {template for step in rule.steps for template in step.templates}
    if one.template is not None and one.template not in templates:
        at.child("template").problem(unknown(f"template of {rule.name}", one.template, templates))
    joined = [step.audience for step in rule.steps if step.audience is not None]
    audiences = {name for found in joined for name in found.names}
    if one.kind in ("joined", "left") and one.name not in audiences:
        at.child(one.kind).problem(unknown(f"audience of {rule.name}", one.name or "", audiences))
    channels = {channel for step in rule.steps for channel in step.channels_of_all}
    if one.kind in ("sent", "recalled") and one.name not in channels:
        at.child(one.kind).problem(unknown(f"channel of {rule.name}", one.name or "", channels))


def _times(prepared: Prepared, at: Place) -> None:
    """Nothing happens, and nothing is expected, after the clock has stopped."""
    until, case = prepared.until, prepared.case
    if until is None:
        return
    for index, event in enumerate(case.events):
        if prepared.moment(event.at) > until:
            at.child("events").child(index).child("at").problem(
                "found a moment after `until`, where the clock has stopped; known: before it"
            )
    for index, one in enumerate(case.expect):
        if prepared.moment(one.at) > until:
            at.child("expect").child(index).child("at").problem(
                "found a moment after `until`, where the clock has stopped; known: before it, or waits"
            )
    for index, wait in enumerate(case.waits or ()):
        if prepared.moment(wait.due) <= until:
            at.child("waits").child(index).child("due").problem(
                "found a moment that is over at `until`; known: a later one, or expect"
            )
