"""The page of the demo, opened where somebody can see it."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from collections.abc import Mapping


def has_desktop(environ: Mapping[str, str]) -> bool:
    """Whether a browser would open in a window; one in the terminal would take the demo's place."""
    return sys.platform == "darwin" or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def open_page(url: str) -> None:
    """Open it if there is a desktop; never waits, never fails."""
    if has_desktop(os.environ):
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
