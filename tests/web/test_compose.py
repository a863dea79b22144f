"""Dockerfile and docker-compose.yml hold what they promise, as far as that can be told without an engine.

Their files are there, their settings are known, nothing is writable but what must be, and what they start works when it
is started here.
"""

from __future__ import annotations

import asyncio
import fnmatch
import json
import os
import re
import shlex
import signal
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from app.database import Database
from app.directory import service as directory
from app.settings import Settings
from tests.web.migrated import tell_server
from tests.web.test_ledger import attempts, order
from tests.web.test_phone_process import until_states

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("dutyring", "simulator")
PASSWORD = "a-password-1"


def instructions() -> Iterator[tuple[str, str]]:
    """Each instruction of the Dockerfile with its arguments, continued lines joined."""
    text = re.sub(r"(?m)^#.*\n", "", (ROOT / "Dockerfile").read_text()).replace("\\\n", " ")
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, rest = line.partition(" ")
        yield name, " ".join(rest.split())


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for name, rest in instructions():
        if name == "FROM":
            found.append([])
        if found:
            found[-1].append((name, rest))
    return found


def last(name: str) -> str:
    """The last such instruction of the image that is run."""
    return [rest for given, rest in stages()[-1] if given == name][-1]


def environment() -> dict[str, str]:
    """What the image sets."""
    return dict(pair.split("=", 1) for name, rest in stages()[-1] if name == "ENV" for pair in rest.split())


def ignored(path: str) -> bool:
    lines = (ROOT / ".dockerignore").read_text().split()
    return any(fnmatch.fnmatch(path, line) or path.startswith(f"{line}/") for line in lines)


def test_everything_that_is_copied_is_there_and_not_left_out() -> None:
    copied = 0
    for name, rest in instructions():
        if name != "COPY" or rest.startswith("--from"):
            continue
        *sources, _ = rest.split()
        for source in sources:
            assert (ROOT / source).exists(), source
            assert not ignored(source), f".dockerignore leaves {source} out"
            copied += 1
    assert copied > 8
    for secret in (".env", "dutyring.env", "data", ".git"):
        assert ignored(secret), f"{secret} must not get into the image"


def test_the_image_is_pinned_small_and_not_run_by_root() -> None:
    (base,) = [rest for name, rest in instructions() if name == "ARG"]
    assert re.fullmatch(r"BASE=python:3\.\d+-slim-[a-z]+", base)
    assert all(stage[0][1].startswith("${BASE}") for stage in stages())
    user = last("USER")
    assert user.isdecimal()
    assert int(user) > 0
    assert [name for name, _ in stages()[-1]].index("USER") > max(
        place for place, (name, rest) in enumerate(stages()[-1]) if name == "RUN"
    )
    for _, rest in instructions():
        assert "latest" not in rest
        assert "sudo" not in rest
        assert "curl" not in rest
    for name, rest in instructions():
        assert name != "ADD", "COPY is enough"
        if name == "RUN" and "apt-get install" in rest:
            assert "--no-install-recommends" in rest
            assert "rm -rf /var/lib/apt/lists/*" in rest
            assert "apt-get update &&" in rest
        if name == "RUN" and "pip install" in rest:
            assert rest.count("--no-cache-dir") == rest.count("pip install")
        if name in ("ENV", "ARG"):
            assert not re.search("password|secret|token|key", rest, re.IGNORECASE)
    for name in ("CMD", "HEALTHCHECK"):
        assert json.loads(last(name)[last(name).index("[") :]), "the form that needs no shell"


def test_every_setting_that_is_named_is_one() -> None:
    known = {f"DUTYRING_{name.upper()}" for name in Settings.model_fields}
    named = {name for name in environment() if name.startswith("DUTYRING_")}
    text = (ROOT / "docker-compose.yml").read_text() + (ROOT / "docs/how-to/run-with-docker.md").read_text()
    named |= set(re.findall(r"DUTYRING_[A-Z_]+", text))
    assert named - known == set()
    for name in OURS:
        given = {
            key.removeprefix("DUTYRING_").lower(): value
            for key, value in SERVICES[name].get("environment", {}).items()
        }
        for key, value in given.items():
            assert isinstance(value, str), f"{key}: YAML must not make another type of it"
        given.pop("database_url", None)
        Settings(
            **{
                key: json.loads(value) if value in ("true", "false") else value
                for key, value in given.items()
            }
        )


def test_only_the_loopback_address_is_published_and_nothing_has_more_rights_than_it_needs() -> None:
    assert set(SERVICES) == {"postgres", "dutyring", "simulator"}
    assert SERVICES["simulator"]["profiles"] == ["simulator"]
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name} publishes {port}"
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert "privileged" not in service
        assert "cap_add" not in service
        for volume in service.get("volumes", []):
            source, _, target = volume.partition(":")
            assert source in COMPOSE["volumes"], f"{name} writes {volume} into the machine's own files"
            assert target.startswith("/")
        if "build" not in service and name == "postgres":
            assert re.fullmatch(r"postgres:\d+-[a-z]+", service["image"])
    # What the image writes lies in a volume or in memory.
    written = {environment()["DUTYRING_DATA_DIR"], "/tmp"}
    mounted = {volume.partition(":")[2] for volume in SERVICES["dutyring"]["volumes"]} | {
        *SERVICES["dutyring"]["tmpfs"]
    }
    assert written <= mounted
    assert last("VOLUME") in mounted
    assert "ports" not in SERVICES["postgres"]
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert SERVICES["postgres"]["networks"] == ["inside"]


def test_it_is_given_time_to_finish_its_calls() -> None:
    service = SERVICES["dutyring"]
    wait_s = float(service["environment"]["DUTYRING_STOP_WAIT_S"])
    assert float(service["stop_grace_period"].removesuffix("s")) > wait_s + 10


def natively(words: str) -> str:
    """What compose puts in place of its variables, or what it says when one is missing."""
    return re.sub(r"\$\{POSTGRES_PASSWORD:\?[^}]*\}", PASSWORD, words)


async def test_what_they_start_works_and_lets_a_call_end_before_it_stops(
    postgres_server: str, tmp_path: Path
) -> None:
    name = f"compose{uuid.uuid4().hex[:8]}"
    tell_server(
        postgres_server,
        f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'",
        f"CREATE DATABASE {name} OWNER {name}",
    )
    url = natively(SERVICES["dutyring"]["environment"]["DUTYRING_DATABASE_URL"])
    assert url == f"postgresql+psycopg://duty:{PASSWORD}@postgres:5432/dutyring"
    server = postgres_server.rpartition("@")[2]
    given = {key: natively(value) for key, value in SERVICES["dutyring"]["environment"].items()}
    given |= {key: value for key, value in environment().items() if key.startswith("DUTYRING_")}
    given |= {
        "DUTYRING_DATABASE_URL": url.replace("duty:", f"{name}:").replace(
            "postgres:5432/dutyring", f"{server}/{name}"
        ),
        "DUTYRING_DATA_DIR": str(tmp_path / "data"),
        "DUTYRING_TRANSCRIBER": "none",
        "DUTYRING_MAX_TALK_S": "3",
    }
    command = json.loads(last("CMD"))
    assert command[:2] == ["dutyring", "serve"]
    # Of this machine: a free port, and its loopback address alone.
    arguments = [{"0.0.0.0": "127.0.0.1", "8000": "0"}.get(word, word) for word in command[1:]]
    simulate = SERVICES["simulator"]["command"]
    simulated = [word.replace("172.28.90.10:5062", "127.0.0.1:0") for word in simulate[1:]]
    errors = tmp_path / "errors"
    service = await start(arguments, given, errors)
    simulator = await start(simulated, {}, tmp_path / "others")
    try:
        listening = (await asyncio.wait_for(simulator.stdout.readline(), 60)).decode()
        assert listening.startswith("listening on 127.0.0.1:")
        far_end = listening.split()[-1].partition("/")[0]
        address = (await asyncio.wait_for(service.stdout.readline(), 60)).decode().split()[-1]
        async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=60) as client:
            async with asyncio.timeout(60):
                while (ready := await client.get("/readyz")).status_code != 200:
                    await asyncio.sleep(0.2)
            assert ready.json() == {"status": "ready", "database": "ok", "archive": "ok", "phone": "ok"}
            page = await client.get("/sign-in")
            assert page.status_code == 200
            assert (await client.get("/static/style.css")).status_code == 200
        check = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
        assert check[0] == "python"
        healthy = [sys.executable, "-c", check[2].replace("http://127.0.0.1:8000/", address)]
        done = await asyncio.create_subprocess_exec(*healthy)
        assert await done.wait() == 0, shlex.join(healthy)
        # A call of 4 s of ringing and some talk: told to stop meanwhile, the service lets it end.
        async with Database(given["DUTYRING_DATABASE_URL"]) as database:
            async with database.unit_of_work() as session:
                unit = await directory.add_unit(session, "1", "云溪县一")
                line = await directory.add_line(session, unit, "0000-5550011", f"sip:11@{far_end}")
            await order(database, line)
            await until_states(database, "ringing")
            service.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(service.wait(), 100) == 0
            (attempt,) = await attempts(database)
        assert (attempt.state, attempt.verdict_code) == ("finished", "within"), attempt.error
    finally:
        for process in (service, simulator):
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), 60)
    assert simulator.returncode == 0
    assert PASSWORD not in errors.read_text()


async def start(arguments: list[str], given: dict[str, str], errors: Path) -> Any:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("DUTYRING_")}
    with errors.open("wb") as file:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "app.cli", *arguments,
            env=inherited | given, stdout=asyncio.subprocess.PIPE, stderr=file,
        )  # fmt: skip


@pytest.mark.parametrize("name", OURS)
def test_both_run_the_image_that_is_built(name: str) -> None:
    assert SERVICES[name]["image"] == SERVICES["dutyring"]["image"]
