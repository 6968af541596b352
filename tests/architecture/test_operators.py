"""What operators rely on is in step with what workers show: manual, alerts, dashboard, provisioning."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest
import yaml
from prometheus_client import CollectorRegistry

from streams.instruments import Declared
from streams.metrics import Metrics, exposition, manual
from streams.metrics_services import ChannelMetrics

ROOT: Final = Path(__file__).resolve().parents[2]
PROMETHEUS: Final = ROOT / "deploy/prometheus"
DASHBOARD: Final = ROOT / "deploy/grafana/dashboards/retarget.json"
NAME: Final = re.compile(r"\b(?:retarget|process)_[a-z_]+\b")
SUFFIXES: Final = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


def declared() -> list[Declared]:
    """The metrics of workers and channel services."""
    return [*Metrics(CollectorRegistry()).declared, *ChannelMetrics(CollectorRegistry()).declared]


def shown() -> set[str]:
    """Every series name that a worker or a channel service shows."""
    registry = CollectorRegistry()
    Metrics(registry)
    ours = {one.name + suffix for one in declared() for suffix in SUFFIXES[one.kind]}
    others = {family.name for family in registry.collect() if family.name.startswith("process_")}
    return ours | others | {f"{name}_total" for name in others}


def unknown_in(expressions: Iterator[str]) -> set[str]:
    """The metrics in PromQL expressions that nobody shows."""
    return {name for text in expressions for name in NAME.findall(text)} - shown()


def promtool(*arguments: str, given: bytes = b"") -> str:
    """What promtool says; fails when it is not content. Skips without promtool, but not in CI."""
    program = shutil.which("promtool")
    if program is None:
        missing("promtool is not on the PATH (Debian package prometheus)")
    done = subprocess.run([program, *arguments], input=given, capture_output=True, check=False, cwd=ROOT)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


def missing(reason: str) -> NoReturn:
    """Skip; in CI the want of a tool fails."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"in CI this may not be missing: {reason}", pytrace=False)
    pytest.skip(reason)


def alert_rules() -> list[dict[str, Any]]:
    """The rules of alerts.yml."""
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard_expressions() -> Iterator[str]:
    """Every query of the dashboard."""
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        yield from (target["expr"] for target in panel.get("targets", []))


def test_the_manual_lists_every_metric() -> None:
    """If not: `python -m streams.metrics > docs/metrics.md`."""
    assert (ROOT / "docs/metrics.md").read_text(encoding="utf-8") == manual()


def test_the_dashboard_is_what_its_generator_writes() -> None:
    """If not: `python deploy/grafana/generate.py`."""
    if find_spec("grafana_foundation_sdk") is None:
        missing("grafana-foundation-sdk is not installed (extra dev)")
    generated = runpy.run_path(str(ROOT / "deploy/grafana/generate.py"))["generate"]()

    assert DASHBOARD.read_text(encoding="utf-8") == generated


def test_the_dashboard_asks_only_for_metrics_that_exist() -> None:
    """A renamed metric may not leave an empty panel."""
    assert unknown_in(dashboard_expressions()) == set()
    assert len(list(dashboard_expressions())) > 20


def test_the_alerts_ask_only_for_metrics_that_exist() -> None:
    """A renamed metric may not leave an alert that never fires."""
    assert unknown_in(rule["expr"] for rule in alert_rules()) == set()


def test_every_metric_is_used_by_an_alert_or_the_dashboard() -> None:
    """What nobody looks at need not be measured; what a worker runs is looked up by hand."""
    expressions = [*dashboard_expressions(), *(rule["expr"] for rule in alert_rules())]
    used = {name for text in expressions for name in NAME.findall(text)}

    unused = {one.name for one in declared() if not {one.name + end for end in SUFFIXES[one.kind]} & used}
    assert unused == {"retarget_build_info", "retarget_lane_clock_timestamp_seconds"}


def test_every_alert_says_what_to_do_and_has_a_test() -> None:
    """Whoever is called at night gets a sentence, and has not been called by a typing mistake."""
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text(encoding="utf-8"))["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    fires = {case["alertname"] for case in cases if case.get("exp_alerts")}
    rests = {case["alertname"] for case in cases if not case.get("exp_alerts")}

    for rule in alert_rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"].keys() == {"summary", "description"}
    names = {rule["alert"] for rule in alert_rules()}
    assert fires == names
    assert rests == names


def test_prometheus_accepts_the_rules_and_their_tests_pass() -> None:
    """The alerts fire on their cases and rest on the others."""
    promtool("check", "rules", "deploy/prometheus/alerts.yml")
    promtool("test", "rules", "deploy/prometheus/alerts_test.yml")


def test_prometheus_accepts_its_configuration() -> None:
    """The file that the container mounts names rule files that load."""
    promtool("check", "config", "deploy/prometheus/prometheus.yml")


def test_the_names_of_metrics_follow_the_conventions() -> None:
    """`promtool check metrics` has nothing to say."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for lane in ("0", "1"):
        metrics.lane.up.labels(lane).set(1)
        metrics.input.applied.labels(lane).inc()
    metrics.decision.decisions.labels("abandoned_cart", "sent", "").inc()
    metrics.decision.messages.labels("abandoned_cart", "email", "send").inc()

    assert promtool("check", "metrics", given=exposition(registry)) == ""


def test_grafana_finds_the_dashboard_and_its_source() -> None:
    """Provisioning names the folder and the source that the dashboard asks for."""
    provisioning = ROOT / "deploy/grafana/provisioning"
    sources = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text(encoding="utf-8"))
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))

    (source,) = board["templating"]["list"]
    assert source["current"]["value"] in {one["uid"] for one in sources["datasources"]}
    assert {panel["datasource"]["uid"] for panel in board["panels"] if "datasource" in panel} == {"${source}"}
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
