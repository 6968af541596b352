from pathlib import Path
from typing import Any

import yaml

from streams.settings import load_settings
from tests.support.kafka.jars import VERSION

ROOT = Path(__file__).resolve().parents[2]


def services() -> dict[str, dict[str, Any]]:
    """The services of docker-compose.yml by name."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return dict(compose["services"])


def ours() -> dict[str, dict[str, Any]]:
    """The services that run the command `retarget`."""
    return {name: service for name, service in services().items() if service["image"].startswith("retarget:")}


def test_the_containers_set_only_settings_that_exist() -> None:
    """A renamed setting fails here, not when a user starts the containers."""
    assert {"worker-1", "worker-2", "simulator", "topics"} <= ours().keys()
    for service in ours().values():
        settings = load_settings(environ=service["environment"])

        assert (settings.kafka.bootstrap, settings.store.url) == ("kafka:19092", "redis://valkey:6379/0")


def test_the_workers_have_names_of_their_own() -> None:
    """Two workers of one name would take each other's place in the group."""
    names = [service["environment"].get("RETARGET_APP_WORKER_ID") for service in ours().values()]
    workers = [name for name in names if name is not None]

    assert len(set(workers)) == len(workers) == 2


def test_prometheus_and_the_probes_ask_the_port_that_workers_listen_on() -> None:
    """The default port is said in four places, which must agree."""
    port = load_settings().web.port
    prometheus = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8"))
    targets = prometheus["scrape_configs"][0]["static_configs"][0]["targets"]

    assert targets == [f"worker-1:{port}", f"worker-2:{port}"]
    assert f"EXPOSE {port}" in (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
    for worker in ("worker-1", "worker-2"):
        assert f":{port}/health" in services()[worker]["healthcheck"]["test"][-1]
        assert services()[worker]["ports"][0].endswith(f":{port}")


def test_containers_and_tests_use_the_same_kafka() -> None:
    """What is tested is what runs, and no image moves by itself."""
    images = {name: service["image"] for name, service in services().items()}
    pom = (ROOT / "tests/support/kafka/pom.xml").read_text(encoding="utf-8")

    assert images["kafka"] == f"apache/kafka:{VERSION}"
    assert f"<version>{VERSION}</version>" in pom
    assert [image for image in images.values() if ":" not in image or image.endswith(":latest")] == []
