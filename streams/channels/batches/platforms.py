"""Changes of audiences for Meta and Google themselves, each in its own form and each for itself.

A destination reads the topic as if it were alone: what one of them refuses, or does not answer, is tried
again there, or is a dead letter of that one, and the other has had its batch and gets it no second time.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from retarget.errors import BadInput, Unsendable
from retarget.formats import google, meta
from retarget.formats.request import Request
from retarget.messages import Message, Operation, stable_id
from streams.channels import bearers
from streams.channels.batches.audiences import Audiences, encoded
from streams.channels.bearers import Bearer, Given, NotIssued
from streams.channels.outcomes import UNWANTED, Leave, Outcome, dead, later
from streams.channels.posting import headers, require_url
from streams.settings import Settings

# Written for an audience that a platform does not have on purpose.
NONE: Final = "-"


class Platform(Audiences):
    """A Channel by HTTP, to a platform or a gateway that speaks like it."""

    def __init__(
        self, settings: Settings, destination: str, url: str, bearer: Bearer, lists: Mapping[str, str]
    ) -> None:
        """`lists`: the platform's own id of each audience. Raises BadInput."""
        super().__init__(settings.ads.batch)
        self.destination = destination
        self._url, self._bearer, self._lists = url.rstrip("/"), bearer, lists
        require_url(f"ads.{destination}_url", url)
        if not lists:
            said = f"ads.{destination}_lists: is not set; write AUDIENCE=ID for each audience"
            raise BadInput([said])

    async def _batch(
        self, audience: str, operation: Operation, members: Sequence[Message], leave: Leave
    ) -> list[Outcome]:
        known = self._lists.get(audience)
        if known == NONE:
            return [UNWANTED] * len(members)
        if known is None:
            said = f"ads.{self.destination}_lists has no audience {audience!r}"
            return [dead("no_audience", said)] * len(members)
        found = [self._entry(one) for one in members]
        good = {
            one.message_id: entry
            for one, entry in zip(members, found, strict=True)
            if not isinstance(entry, Outcome)
        }
        outcome = await self._sent(audience, operation, known, good, leave)
        return [one if isinstance(one, Outcome) else outcome for one in found]

    def _entry(self, message: Message) -> Any | Outcome:  # noqa: ANN401 - as the platform has it
        try:
            # What the message says and nothing that was looked up: in doubt it must be the same batch again.
            return self._form(message, message.to)
        except Unsendable as unsendable:
            return dead(unsendable.reason, unsendable.detail)

    def leaver(self, message: Message) -> Any:  # noqa: ANN401 - as the platform has it
        """See TakesOut: neither platform knows an expiry of its own for a member."""
        removal = replace(message, operation="remove", recall_of=message.message_id, context={})
        return self._form(removal, message.to)

    async def let_go(self, audience: str, members: Mapping[str, Any], leave: Leave) -> Outcome:
        """See TakesOut."""
        known = self._lists.get(audience)
        if known == NONE:
            return UNWANTED
        if known is None:
            return dead("no_audience", f"ads.{self.destination}_lists has no audience {audience!r}")
        return await self._sent(audience, "remove", known, members, leave)

    async def _sent(
        self, audience: str, operation: Operation, known: str, members: Mapping[str, Any], leave: Leave
    ) -> Outcome:
        key = stable_id(self.destination, audience, operation, *members)
        try:
            shown = headers(await self._bearer(), key)
        except NotIssued as missing:
            return later(str(missing))
        # One at most: ads.batch is no more than a platform takes.
        outcome = UNWANTED
        for request in self._requests(members.values(), operation, known):
            outcome = await self._post(
                self._url + request.path, encoded(request.body), shown,
                method=request.method, leave=leave, count=len(members),
            )  # fmt: skip
        return self._bearer.heard(outcome)

    @abstractmethod
    def _form(self, message: Message, to: Mapping[str, Any]) -> object:
        """One person. Raises Unsendable."""

    @abstractmethod
    def _requests(self, members: Iterable[Any], operation: Operation, known: str) -> Iterable[Request]:
        """What is posted."""


class MetaChannel(Platform):
    """Custom Audiences."""

    def __init__(self, settings: Settings) -> None:
        """Raises BadInput."""
        ads = settings.ads
        super().__init__(settings, "meta", ads.meta_url, Given(ads.meta_token), ads.meta_lists)

    def _form(self, message: Message, to: Mapping[str, Any]) -> object:
        return meta.row_of(message, to)

    def _requests(self, members: Iterable[Any], operation: Operation, known: str) -> Iterable[Request]:
        return meta.requests_of(members, operation, known)


class GoogleChannel(Platform):
    """Customer Match."""

    def __init__(self, settings: Settings) -> None:
        """Raises BadInput."""
        ads = settings.ads
        bearer = bearers.google("ads.google", ads.google_token, ads.google_key_file, bearers.AUDIENCES)
        super().__init__(settings, "google", ads.google_url, bearer, ads.google_lists)
        if not ads.google_account:
            raise BadInput(["ads.google_account: is not set; write the id of the account at Google Ads"])
        self._account = {"accountType": "GOOGLE_ADS", "accountId": ads.google_account}

    def _form(self, message: Message, to: Mapping[str, Any]) -> object:
        return google.member_of(message, to)

    def _requests(self, members: Iterable[Any], operation: Operation, known: str) -> Iterable[Request]:
        destination = {"operatingAccount": self._account, "productDestinationId": known}
        return google.requests_of(members, operation, destination)
