"""The demo from curtain to curtain: servers, worker, people, what is seen of it, and the end of it all."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import uvloop
from rich.console import Console

from retarget.rules.model import Rule
from retarget.rules.vocabulary import VOCABULARY
from streams.demo.browser import open_page
from streams.demo.complaints import Complaints, listening
from streams.demo.ending import cancelled, enter_or, first_of, keys_unseen
from streams.demo.memory import peak_bytes
from streams.demo.plan import Plan, with_servers
from streams.demo.summary import Figures, show_addresses, show_complaints, show_hint, show_summary
from streams.demo.tally import Tally
from streams.demo.traffic import Traffic
from streams.demo.view import Status, View
from streams.demo.watching import Watcher
from streams.demo.witness import Witness
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.kafka import create_or_check, specs_of
from streams.kafka.address import address_of
from streams.kafka.sending import producing
from streams.known_names import found_names
from streams.lanes.bundle import bundle_of
from streams.lanes.bundles import OneBundle
from streams.rulebook import load_rules, rules_dir
from streams.settings import Settings
from streams.stopping import asked_to_stop
from streams.stores import open_store
from streams.topics import TopicSpec
from streams.worker import Worker

if TYPE_CHECKING:
    from streams.demo.mailbox import Mailbox

_REFRESH_S: Final = 0.25
_RATE_OVER: Final = 12  # refreshes
# After the last event: until the engine has worked it off and all is read, but not for ever.
_DRAIN_S: Final = 10.0
_SILENCE_S: Final = 1.0
_POLL_S: Final = 0.1
_LATE: Final = "retarget_events_late_total"
_REPEATED: Final = "retarget_events_duplicate_total"


def perform(settings: Settings, plan: Plan, console: Console) -> int:
    """The whole demo; its exit code. Raises PartMissing, StartFailed, BadInput."""
    rules = load_rules([rules_dir(settings)], VOCABULARY, found_names(settings))
    with listening() as complaints, EmbeddedStore() as store, EmbeddedBroker() as broker:
        settings = with_servers(settings, bootstrap=broker.bootstrap, store_url=store.url)
        pids = [pid for pid in (store.process.pid, broker.process.pid) if pid is not None]
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            stage = _Stage(settings, plan, console, pids)
            return runner.run(stage.play(rules, complaints))


class _Stage:
    """One performance; `servers` are the process ids of broker and store."""

    def __init__(self, settings: Settings, plan: Plan, console: Console, servers: Sequence[int]) -> None:
        self._settings, self._plan, self._console, self._servers = settings, plan, console, servers
        self._lanes = settings.kafka.partitions
        self._tally, self._witness = Tally(), Witness(self._lanes, settings.clock.lateness)
        self._traffic = Traffic(plan, settings.kafka.input_topics[0], self._lanes, self._witness)
        self._address = address_of(settings)
        self._started = time.monotonic()

    async def play(self, rules: Sequence[Rule], complaints: Complaints) -> int:
        """Everything between the start of the servers and their end; the exit code."""
        with asked_to_stop(signal.SIGHUP) as asked:  # a closed terminal, too
            await create_or_check(self._address, specs_of(self._settings))
            self._started = time.monotonic()
            async with self._working(rules) as worker, self._mailing() as mailbox:
                page = f"http://{self._settings.web.host}:{worker.web.port}/metrics"
                await self._show(worker, page, asked, mailbox.url if mailbox else "")
                figures = self._figures(worker, mailbox.count if mailbox else None)
                show_summary(self._console, self._tally, figures)
                show_complaints(self._console, complaints.heard)
                if not self._plan.keep:
                    show_hint(self._console)
                else:
                    show_addresses(
                        self._console,
                        self._settings,
                        page,
                        self._tally.example,
                        mailbox.url if mailbox else "",
                    )
                    asked.clear()
                    await self._stand(asked)
        return 0 if self._tally.flawless else 1

    @asynccontextmanager
    async def _working(self, rules: Sequence[Rule]) -> AsyncIterator[Worker]:
        settings = self._settings
        bundle = bundle_of(settings, rules, settings.kafka.input_topics)
        store = await open_store(settings.store.url, settings.app.id, self._lanes)
        try:
            async with Worker(settings, OneBundle(bundle), store, self._address, alone=True) as worker:
                yield worker
        finally:
            await store.close()

    @asynccontextmanager
    async def _mailing(self) -> AsyncIterator[Mailbox | None]:
        """The shop's mails, with a mailbox; None where the packages for it are not installed."""
        try:
            from streams.demo.mailing import FEEDBACK, mailing  # noqa: PLC0415 - they may be absent
        except ImportError:
            yield None
            return
        await create_or_check(self._address, [TopicSpec(FEEDBACK, 1, exact=False, keep="broker")])
        async with mailing(self._settings, self._address, lambda: self._traffic.at) as mailbox:
            yield mailbox

    async def _show(self, worker: Worker, page: str, asked: asyncio.Event, mails: str) -> None:
        """Let the people in and show what comes of it, until time is up or somebody asked for the end."""
        if self._plan.browser and self._console.is_terminal:
            open_page(mails or page)
        watcher = Watcher(self._witness, self._tally, self._started)
        async with producing(self._address) as producer:
            with keys_unseen(), View(self._console, self._tally, page, mails) as view:
                traffic = asyncio.create_task(self._traffic.run(producer))
                watching = asyncio.create_task(watcher.run(self._address, self._lanes, view.lines))
                status = asyncio.create_task(self._status(view))
                engine = asyncio.create_task(worker.wait())
                try:
                    await first_of(self._plan.seconds, asked, traffic, watching, status, engine)
                    await cancelled(traffic)
                    asked.clear()
                    settled = asyncio.create_task(self._settled(worker, watcher))
                    await first_of(_DRAIN_S, asked, settled, watching, status, engine)
                    await cancelled(settled)
                finally:
                    await cancelled(traffic, watching, status, engine)

    async def _stand(self, asked: asyncio.Event) -> None:
        """Go on until Enter; only the clock moves, or whatever is asked of the engine would wait for it."""
        async with producing(self._address) as producer:
            time_goes_by = asyncio.create_task(self._traffic.go_on(producer))
            try:
                await enter_or(asked)
            finally:
                await cancelled(time_goes_by)

    async def _status(self, view: View) -> None:
        seen: deque[tuple[float, int]] = deque(maxlen=_RATE_OVER)
        while True:
            now, events = time.monotonic(), self._witness.records
            seen.append((now, events))
            (then, before), left = seen[0], self._started + self._plan.seconds - now
            rate = (events - before) / max(now - then, _REFRESH_S)
            view.status(
                Status(self._traffic.at, self._witness.people, events, rate, seconds_left=max(left, 0))
            )
            await asyncio.sleep(_REFRESH_S)

    async def _settled(self, worker: Worker, watcher: Watcher) -> None:
        """Wait until the engine has read what was sent, and has nothing more to say."""
        while time.monotonic() - watcher.last_heard < _SILENCE_S or not self._all_read(worker):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)

    def _all_read(self, worker: Worker) -> bool:
        topic, runners = self._settings.kafka.input_topics[0], worker.runners()
        return all(
            lane in runners and runners[lane].positions.frontier.get(topic, 0) >= sent
            for lane, sent in enumerate(self._witness.sent)
        )

    def _figures(self, worker: Worker, mails: int | None) -> Figures:
        return Figures(
            people=self._witness.people,
            events=self._witness.records,
            repeated=self._counted(worker, _REPEATED),
            late=self._counted(worker, _LATE),
            lasted=time.monotonic() - self._started,
            memory=peak_bytes(self._servers),
            mails=mails,
        )

    def _counted(self, worker: Worker, name: str) -> int:
        lanes = map(str, range(self._lanes))
        return int(sum(worker.registry.get_sample_value(name, {"lane": lane}) or 0 for lane in lanes))
