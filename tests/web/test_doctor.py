"""`dutyring doctor`: what is amiss is named with what to do; nothing is changed, and a failure is exit status 1."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from app import clock
from app.accounts.permissions import Role
from app.cli import main
from app.database import Database
from app.operations.doctor import examine
from app.operations.findings import Finding
from app.settings import Settings, TrunkSettings, get_settings
from app.trunks import service
from app.trunks.service import Said
from sip.asking import ask_server
from sip.trunks import Trunk
from tests.web.options_server import options_server
from tests.web.people import signed_in

KEYLESS = TrunkSettings(host="192.0.2.1", password_file=Path("/nowhere"), user="u")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Settings(
        data_dir=tmp_path / "data",
        phone_process=False,
        port=port,
        transcriber="none",
        timezone="Asia/Shanghai",
    )


@pytest.fixture(autouse=True)
def _fresh_settings() -> Iterator[None]:
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


async def found(settings: Settings, *, offline: bool = True) -> Sequence[Finding]:
    async with Database(settings.url) as database:
        return await examine(settings, database, offline=offline)


def state(findings: Sequence[Finding], name: str) -> str:
    """The worst that was found under a name."""
    return max((one.state for one in findings if one.name == name), key=["ok", "warn", "fail"].index)


async def test_an_empty_machine_is_told_what_to_do_first_and_nothing_is_made(settings: Settings) -> None:
    told = await found(settings)
    assert not settings.data_dir.exists()
    assert all(one.state != "fail" for one in told)
    assert {one.name for one in told if one.state == "warn"} >= {"database", "trunk", "notices"}
    for one in told:
        assert bool(one.do_en) == bool(one.do_zh) == (one.state != "ok"), one
        assert one.zh != one.en


async def test_a_working_installation(database: Database, settings: Settings) -> None:
    told = await found(settings)
    assert state(told, "database") == "ok"
    assert (state(told, "accounts"), state(told, "prompts"), state(told, "calendar")) == (
        "warn",
        "warn",
        "warn",
    )
    await signed_in(database, settings, Role.ADMINISTRATOR)
    assert state(await found(settings), "accounts") == "ok"


@pytest.mark.parametrize(
    ("change", "name", "worst"),
    [
        ({"host": "0.0.0.0"}, "https", "warn"),
        ({"host": "0.0.0.0", "secure_cookies": True}, "https", "ok"),
        ({"timezone": "Europe/Berlin"}, "time_zone", "warn"),
        ({"disk_reserve_mb": 10**9}, "disk", "fail"),
        ({"disk_alarm_mb": 10**9}, "disk", "warn"),
        ({"concurrency": 2000}, "open_files", "warn"),
        ({"transcriber": "vosk", "vosk_model": Path("/nowhere")}, "speech", "fail"),
        ({"answer_keys_file": Path("/nowhere")}, "files", "fail"),
        ({"metrics_token_file": Path("/nowhere")}, "files", "fail"),
        ({"trunks": {"main": KEYLESS}}, "trunk", "fail"),
        ({"ntp_server": "127.0.0.1:9"}, "clock", "fail"),
    ],
)  # fmt: skip
async def test_each_fault_is_named(
    database: Database, settings: Settings, change: dict[str, Any], name: str, worst: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("app.operations.doctor_machine.resource.getrlimit", lambda _: (1024, 1024))
    told = await found(settings.model_copy(update=change), offline="ntp_server" not in change)
    assert state(told, name) == worst


async def test_keys_that_others_may_read_and_names_that_are_no_settings(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = settings.data_dir / "seal.key"
    key.write_text("00" * 32)
    key.chmod(0o644)
    monkeypatch.setenv("DUTYRING_CONCURENCY", "7")
    told = await found(settings)
    (wide,) = [one for one in told if one.name == "key_files"]
    assert wide.state == "fail"
    assert f"chmod 600 {key}" in wide.do_en
    (strange,) = [one for one in told if one.name == "settings"]
    assert "DUTYRING_CONCURENCY" in strange.en
    assert "7" not in strange.en
    key.chmod(0o600)
    assert state(await found(settings), "key_files") == "ok"


async def test_a_port_that_somebody_else_holds(database: Database, settings: Settings) -> None:
    with socket.socket() as other, socket.socket(type=socket.SOCK_DGRAM) as phone:
        other.bind((settings.host, settings.port))
        other.listen()
        phone.bind(("127.0.0.1", 0))
        taken = settings.model_copy(update={"sip_bind": f"127.0.0.1:{phone.getsockname()[1]}"})
        told = await found(taken)
    assert (state(told, "pages_port"), state(told, "phone_port")) == ("fail", "fail")


async def test_trunks_are_asked_where_no_phone_speaks_of_them(database: Database, settings: Settings) -> None:
    async with options_server() as (host, port):
        given = settings.model_copy(
            update={
                "trunks": {
                    "there": TrunkSettings(host=host, port=port),
                    "away": TrunkSettings(host="127.0.0.1", port=9),
                }
            }
        )
        told = {one.en.split(":")[0]: one for one in await found(given, offline=False) if one.name == "trunk"}
        assert (await ask_server(Trunk(name="t", server=host, port=port))).status == 200
    assert told["trunk there"].state == "ok"
    assert "OPTIONS answered 200" in told["trunk there"].en
    assert told["trunk away"].state == "fail"
    async with database.unit_of_work() as session:
        await service.observe(session, Said("there", "down", clock.now()))
        await service.observe(session, Said("away", "up", clock.now()))
    told = {one.en.split(":")[0]: one for one in await found(given) if one.name == "trunk"}
    assert (told["trunk there"].state, told["trunk away"].state) == ("fail", "ok")


def test_the_command_says_it_in_lines_or_as_json(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (settings.environment() | {"DUTYRING_DISK_RESERVE_MB": str(10**9)}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--offline"])
    assert ended.value.code == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("fail  disk: ") for line in lines)
    assert any(line == "      -> make room: no call is placed" for line in lines)
    with pytest.raises(SystemExit):
        main(["doctor", "--offline", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["state"]) == ("dutyring.doctor/1", "fail")
    assert {"name", "state", "said", "do", "said_zh", "do_zh"} == set(told["findings"][0])
