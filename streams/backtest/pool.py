"""The pool: parts on all cores; the result does not depend on how many there are."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from retarget.decode import decode_canonical
from retarget.errors import BadInput
from retarget.rules.model import Rule
from retarget.rules.vocabulary import VOCABULARY
from streams.backtest.parts import Outcome, Progress, outcome_of
from streams.backtest.sharing import Sharing, shared
from streams.backtest.splitting import Part, Together
from streams.collector import relieve
from streams.known_names import found_names
from streams.lanes.bundle import Bundle, bundle_of, policy_of
from streams.replaying import TOPIC
from streams.rulebook import load_rules, not_named, picked
from streams.settings import Settings

# Many more parts than processes: the work evens out, and few people's journeys are in memory at a time.
PARTS: Final = 256
_LOOK_S: Final = 0.2

Share = Callable[[Part | Together], Outcome]


class Plan(NamedTuple):
    """What is tried: one or two places of rules under the same settings; `only`: these rules, if any.

    So many `lanes` share rates and ceilings.
    """

    settings: Settings
    rules: Path
    against: Path | None = None
    only: tuple[str, ...] = ()
    lanes: int = 1

    def bundles(self) -> OnTrial:
        """The rules made ready. Raises BadInput with every problem of both."""
        problems: list[str] = []
        found: list[Sequence[Rule]] = []
        names = found_names(self.settings)
        for place in filter(None, (self.rules, self.against)):
            try:
                found.append(load_rules([place], VOCABULARY, names))
            except BadInput as error:
                problems += [line for line in error.problems if line not in problems]
        if problems := problems or not_named(self.only, {rule.name for rules in found for rule in rules}):
            raise BadInput(problems)
        bundles = [self._bundle(rules) for rules in found]
        return OnTrial(self, bundles[0], bundles[1] if len(bundles) > 1 else None)

    def _bundle(self, rules: Sequence[Rule]) -> Bundle:
        # What is tried is the past: it has its own time, whatever the workers go by.
        return bundle_of(self.settings, picked(rules, self.only), [TOPIC], lanes=self.lanes)._replace(
            now_is_clock=True, decoders={TOPIC: decode_canonical}
        )


class OnTrial(NamedTuple):
    """The rules of a plan made ready, and those to compare them with, if there are any."""

    plan: Plan
    rules: Bundle
    against: Bundle | None

    def over(self, lanes: int) -> OnTrial:
        """The same, in one of so many lanes."""
        rules, against = (self._over(bundle, lanes) for bundle in (self.rules, self.against))
        assert rules is not None
        return OnTrial(self.plan._replace(lanes=lanes), rules, against)

    def _over(self, bundle: Bundle | None, lanes: int) -> Bundle | None:
        if bundle is None:
            return None
        policy = policy_of(self.plan.settings, lanes, bundle.policy.pools)
        return bundle._replace(policy=policy, listed=bundle.listed._replace(lanes=lanes))

    @property
    def shared(self) -> dict[str, Sharing]:
        """What people share under either."""
        return shared(self.rules) | (shared(self.against) if self.against is not None else {})

    @property
    def ids(self) -> tuple[str, ...]:
        """What tells whether rules or settings have changed."""
        return tuple(bundle.id for bundle in (self.rules, self.against) if bundle is not None)


def cores() -> int:
    """How many processes can run at a time."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def backtest(
    on_trial: OnTrial, parts: Sequence[Part | Together], folder: Path, *, jobs: int, progress: Progress
) -> Outcome:
    """Work all parts through with so many processes; `progress` hears how many records were read since.

    With rules to compare with, each record is read twice. Several processes load the rules of the plan anew:
    raises BadInput when these are no longer those on trial.
    """
    parts = [part for part in parts if part.entries] or parts[:1]
    outcomes = (
        _alone(on_trial, parts, folder, progress)
        if jobs == 1
        else _shared(on_trial, parts, folder, jobs, progress)
    )
    whole = next(outcomes)
    for one in outcomes:
        whole.add(one)
    return whole


def _alone(
    on_trial: OnTrial, parts: Sequence[Part | Together], folder: Path, progress: Progress
) -> Iterator[Outcome]:
    for part in parts:
        yield outcome_of(part, on_trial.rules, on_trial.against, folder, progress)


def _shared(
    on_trial: OnTrial, parts: Sequence[Part | Together], folder: Path, jobs: int, progress: Progress
) -> Iterator[Outcome]:
    # Not forked: a copy of a process with open connections and threads is a source of rare hangs.
    context = multiprocessing.get_context("spawn")
    done = context.Value("Q", 0)
    pool = ProcessPoolExecutor(
        min(jobs, len(parts)),
        mp_context=context,
        initializer=_begin,
        initargs=(on_trial.plan, on_trial.ids, folder, done),
    )
    with pool:
        try:
            # The largest first: nobody waits for a last long one.
            largest = sorted(parts, key=lambda part: -part.entries)
            with _uninterrupted():
                futures = {pool.submit(_work, part) for part in largest}
            yield from _results(futures, done, progress)
        except BrokenProcessPool as error:
            remedy = "did it run out of memory? --jobs lowers how many there are"
            raise BadInput([f"a process of the backtest has ended ({error}); {remedy}"]) from error
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """What is started now leaves Ctrl-C to us: it hears of it by the pool, and says nothing itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _results(waiting: set[Future[Outcome | str]], done: Any, progress: Progress) -> Iterator[Outcome]:  # noqa: ANN401 - a shared number has no public type
    """What comes of them; each is forgotten once it is told, as all of them grow with the input."""
    told = 0
    while waiting:
        finished, _ = wait(waiting, _LOOK_S, FIRST_COMPLETED)
        waiting -= finished
        progress(done.value - told)
        told = done.value
        while finished:
            found = finished.pop().result()
            if isinstance(found, str):
                raise BadInput([found])
            yield found


class _Worker:
    """What one process of the pool keeps from part to part."""

    share: Callable[[Part | Together], Outcome | str]


def _begin(plan: Plan, ids: tuple[str, ...], folder: Path, done: Any) -> None:  # noqa: ANN401
    def progress(records: int) -> None:
        with done.get_lock():
            done.value += records

    try:
        on_trial = plan.bundles()
    except BadInput:  # they were right when the backtest began
        on_trial = None
    relieve()

    def share(part: Part | Together) -> Outcome | str:
        if on_trial is None or on_trial.ids != ids:
            return f"{plan.rules}: the rules have changed since the backtest began; begin again"
        found = outcome_of(part, on_trial.rules, on_trial.against, folder, progress)
        gc.collect()  # a lane refers to itself, and the collector has been told to come seldom
        return found

    _Worker.share = staticmethod(share)


def _work(part: Part | Together) -> Outcome | str:
    return _Worker.share(part)
