"""The real client libraries of Segment and RudderStack: one visit of a person that ends with an order."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

import pytest

from tests.support.missing import unavailable

CLIENTS: Final = Path(__file__).resolve().parents[1] / "clients"
MODULES: Final = CLIENTS / "node_modules"
KEY: Final = "a-write-key-of-a-shop"
PRODUCT: Final = {"product_id": "tent", "category": "camping", "price": 80, "currency": "EUR"}
_WITHIN_S: Final = 60

Send = Callable[[str, str], None]


def order_of(person: str) -> dict[str, object]:
    """What is bought at the end of each visit."""
    return {"order_id": f"o-{person}", "total": 80, "products": [{**PRODUCT, "quantity": 1}]}


def segment_for_python(url: str, person: str) -> None:
    """analytics-python, packed with gzip, in its own thread."""
    client_module = import_module("segment.analytics.client")
    client = client_module.Client(KEY, host=url, gzip=True, on_error=lambda error, _: pytest.fail(str(error)))
    client.identify(user_id=person, anonymous_id="a1", traits={"email": "p@shop.example", "firstName": "Pat"})
    for _ in range(20):
        client.track(user_id=person, event="Product Viewed", properties=PRODUCT)
    client.track(user_id=person, event="Order Completed", properties=order_of(person))
    client.shutdown()


def rudder_for_python(url: str, person: str) -> None:
    """rudder-sdk-python."""
    client_module = import_module("rudderstack.analytics.client")
    client = client_module.Client(KEY, host=url, gzip=True, on_error=lambda error, _: pytest.fail(str(error)))
    client.identify(user_id=person, traits={"email": "p@shop.example", "firstName": "Pat"})
    client.track(user_id=person, event="Product Viewed", properties=PRODUCT)
    client.track(user_id=person, event="Order Completed", properties=order_of(person))
    client.shutdown()


def with_node(script: str, url: str, person: str) -> None:
    """A library of npm's."""
    node = shutil.which("node")
    if node is None or not MODULES.is_dir():
        unavailable("no node, or no tests/clients/node_modules: npm install --prefix tests/clients")
    ran = subprocess.run(
        [node, str(CLIENTS / script), url, KEY, person],
        check=False, capture_output=True, text=True, timeout=_WITHIN_S,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")


SEGMENT_BUNDLE: Final = MODULES / "@segment" / "analytics-next" / "dist" / "umd"
RUDDER_BUNDLE: Final = (
    MODULES / "@rudderstack" / "analytics-js" / "dist" / "npm" / "modern" / "bundled" / "umd"
)


def with_chromium(page: str, bundle: Path, url: str, person: str) -> None:
    """A library in a real browser, on a page of another origin than the collector's."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None or not bundle.is_dir():
        unavailable("no chromium, or no tests/clients/node_modules: npm install --prefix tests/clients")
    with page_server(CLIENTS / page, bundle) as (port, said), tempfile.TemporaryDirectory() as profile:
        address = f"http://127.0.0.1:{port}/?{'&'.join(map(partial(quote, safe=''), (url, KEY, person)))}"
        flags = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-dev-shm-usage",
        ]
        log = Path(profile) / "log"
        with log.open("wb") as output:
            running = subprocess.Popen(
                [browser, *flags, f"--user-data-dir={profile}/p", address], stdout=output, stderr=output
            )
            try:
                assert said.wait(_WITHIN_S), log.read_text(errors="replace")[-2000:]
            finally:
                running.terminate()
                running.wait(20)
        assert said.word == "done", said.word


class Said(threading.Event):
    """Set when the page has spoken, with what it said."""

    word = ""


@contextmanager
def page_server(page: Path, bundle: Path) -> Iterator[tuple[int, Said]]:
    """The shop's page and the library, on a free port."""
    said = Said()

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if path == "/said":
                said.word = unquote(query)
                said.set()
            file = page if path == "/" else bundle / ("index.js" if path == "/analytics.js" else path[1:])
            found = file.is_file()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/html" if path == "/" else "text/javascript")
            self.end_headers()
            self.wfile.write(file.read_bytes() if found else b"")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1], said
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


LIBRARIES: Final[dict[str, Send]] = {
    "segment-python": segment_for_python,
    "rudder-python": rudder_for_python,
    "segment-node": partial(with_node, "segment.cjs"),
    "rudder-node": partial(with_node, "rudder.cjs"),
    "segment-browser": partial(with_chromium, "page.html", SEGMENT_BUNDLE),
    "rudder-browser": partial(with_chromium, "rudder.html", RUDDER_BUNDLE),
}
