"""A CloudEvent around canonical data as it usually is."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from retarget.dialects.cloudevents import id_of, type_of
from retarget.dialects.strict.shared import Reader, strictly, telling, time_of
from retarget.touchpoints import TYPES, Id, Touchpoint

_Text = Annotated[str, msgspec.Meta(min_length=1)]


class _Event(msgspec.Struct, frozen=True, gc=False):
    specversion: _Text
    id: _Text
    source: _Text
    type: _Text
    data: msgspec.Raw
    time: str | int | None = None
    traceparent: str | None = None
    userid: Id | None = None
    anonymousid: Id | None = None
    sessionid: Id | None = None
    deviceid: Id | None = None


class _Signs(msgspec.Struct, frozen=True, gc=False):
    """Fields by which data may be in another dialect, or have a type of its own."""

    type: Any = msgspec.UNSET
    event: Any = msgspec.UNSET
    events: Any = msgspec.UNSET
    event_id: Any = msgspec.UNSET
    event_name: Any = msgspec.UNSET
    event_type: Any = msgspec.UNSET
    data: Any = msgspec.UNSET
    external_id: Any = msgspec.UNSET
    external_user_id: Any = msgspec.UNSET
    user_alias: Any = msgspec.UNSET
    braze_id: Any = msgspec.UNSET
    attributes: Any = msgspec.UNSET
    purchases: Any = msgspec.UNSET


_NO_SIGNS: Final = _Signs()
_canonical: Final = msgspec.json.Decoder(Touchpoint).decode
_signs: Final = msgspec.json.Decoder(_Signs).decode


def _touchpoint(event: _Event) -> Touchpoint | None:
    if _signs(event.data) != _NO_SIGNS or not event.specversion.startswith("1."):
        return None
    touchpoint = _canonical(event.data)
    touchpoint.type, name = type_of(event.type)
    assert touchpoint.type in TYPES  # so there is nothing to look up again
    touchpoint.name = name if touchpoint.name is None else touchpoint.name
    touchpoint.user_id = touchpoint.user_id or event.userid
    touchpoint.anonymous_id = touchpoint.anonymous_id or event.anonymousid
    touchpoint.session_id = touchpoint.session_id or event.sessionid
    touchpoint.device_id = touchpoint.device_id or event.deviceid
    touchpoint.id = touchpoint.id or id_of(event.source, event.id)
    if touchpoint.time < 0 and event.time is not None:
        touchpoint.time = time_of(event.time)
    touchpoint.trace = touchpoint.trace or event.traceparent
    return touchpoint


read: Final[Reader] = strictly(_Event, _touchpoint)
told: Final = (telling(_Event, _touchpoint, {}, ("user_id", "anonymous_id")),)
