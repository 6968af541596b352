"""The runbook knows every alert, and names only settings, metrics and commands that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import yaml
from prometheus_client import CollectorRegistry

from streams.cli import COMMANDS
from streams.metrics import Metrics
from streams.metrics_services import ChannelMetrics
from streams.settings import load_settings

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")


def alerts() -> list[str]:
    """The names of the alerts, in the order of their file."""
    groups = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text(encoding="utf-8"))["groups"]
    return [rule["alert"] for group in groups for rule in group["rules"]]


def test_every_alert_has_its_paragraph() -> None:
    """Whoever is woken finds the alert's name, in the order of the file, and a few sentences."""
    headings = re.findall(r"^### (\w+)\n\n(\S)", PAGE, re.MULTILINE)

    assert [name for name, _ in headings] == alerts()


def test_what_the_runbook_names_exists() -> None:
    """Settings, metrics and commands."""
    settings = {row.key for row in load_settings().describe()}
    sections = {key.partition(".")[0] for key in settings}
    named = {
        name
        for name in re.findall(r"`([a-z_]+\.[a-z_]+)(?:=\w+)?`", PAGE)
        if name.partition(".")[0] in sections
    }
    declared = (*Metrics(CollectorRegistry()).declared, *ChannelMetrics(CollectorRegistry()).declared)
    metrics = {one.name for one in declared}
    measured = set(re.findall(r"`(retarget_[a-z_]+)`", PAGE))
    commands = set(re.findall(r"(?:`|^)retarget ([a-z]+)", PAGE, re.MULTILINE))

    assert named
    assert named - settings == set()
    assert measured - metrics - {name.removesuffix("_total") for name in metrics} == set()
    assert commands
    assert commands - COMMANDS.keys() == set()
