"""What only browsers need: who may read our answers, an image, and where their libraries shall send to."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

_GIF: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_DAY_S: Final = "86400"
# Of a query without `data`: these belong to the call, all others to its properties.
_OF_CALL: Final = frozenset(
    {"type", "event", "name", "userId", "anonymousId", "messageId", "timestamp", "writeKey"}
)


def pixel() -> web.Response:
    """A transparent image of one dot that nobody keeps."""
    return web.Response(body=_GIF, content_type="image/gif", headers={"Cache-Control": "no-store"})


def of_query(query: Mapping[str, str]) -> dict[str, Any]:
    """The call that the parameters of a plain image address make up."""
    call = {name: value for name, value in query.items() if name in _OF_CALL}
    return {**call, "properties": {name: value for name, value in query.items() if name not in _OF_CALL}}


def sharing(request: web.Request, origins: Sequence[str]) -> dict[str, str]:
    """The headers by which a page of an allowed origin may send to us and read the answer."""
    origin = request.headers.get("Origin")
    if origin is None or not ("*" in origins or origin in origins):
        return {}
    headers = {"Access-Control-Allow-Origin": "*" if "*" in origins else origin, "Vary": "Origin"}
    if request.method == "OPTIONS":
        asked = request.headers.get("Access-Control-Request-Headers", "Content-Type")
        headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
        headers["Access-Control-Allow-Headers"] = asked
        headers["Access-Control-Max-Age"] = _DAY_S
    return headers


def project(key: str, host: str, scheme: str) -> dict[str, Any]:
    """What analytics.js asks its CDN for: where to send to, and that nothing else is to be loaded."""
    place = {"apiKey": key, "apiHost": f"{host}/v1", "protocol": scheme}
    return {"integrations": {"Segment.io": place}, "plan": {}, "edgeFunction": {}, "remotePlugins": []}


def source(key: str) -> dict[str, Any]:
    """What RudderStack's library asks its control plane for: that it may send, and loads nothing else."""
    return {"source": {"id": key, "writeKey": key, "enabled": True, "config": {}, "destinations": []}}
