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


def test_the_image_runs_as_nobody_on_a_file_system_that_it_cannot_change() -> None:
    """What breaks into a worker can write nothing but /tmp, and gains no rights."""
    lines = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8").splitlines()
    final = lines[max(at for at, line in enumerate(lines) if line.startswith("FROM ")) :]
    assert [line for line in final if line.startswith("USER ")] == ["USER 10001"]
    assert not [line for line in final if line.startswith(("ADD ", "VOLUME "))]
    assert "WORKDIR /tmp" in final
    assert not [name for name, service in ours().items() if "privileged" in service]
    assert {"worker-1", "worker-2", "topics", "simulator"} <= ours().keys()
    for service in ours().values():
        assert (service["read_only"], service["tmpfs"], service["cap_drop"]) == (True, ["/tmp"], ["ALL"])  # noqa: S108
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_nothing_is_open_beyond_this_machine() -> None:
    """Ports of the containers are those of the loopback address, and the workers ask for a token."""
    for service in services().values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    token = load_settings(environ=ours()["worker-1"]["environment"]).web.token
    prometheus = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8"))
    assert prometheus["scrape_configs"][0]["authorization"]["credentials"] == token
