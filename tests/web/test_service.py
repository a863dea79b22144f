"""What the service says when it cannot work: the phone that never comes up, a prompt that is not there."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import httpx
import pytest

from app.commands.serve import is_loopback
from app.phone_keeper import PhoneKeeper
from app.settings import Settings
from tests.web.apps import make_app
from tests.web.migrated import migrate
from tests.web.test_phone_process import until

DIES = [sys.executable, "-c", "raise SystemExit(7)"]
READY_THEN_DIES = [sys.executable, "-c", "print('ready', flush=True); input()"]


async def health(settings: Settings, keeper: PhoneKeeper) -> tuple[int, dict[str, object]]:
    app = make_app(settings)
    app.state.keeper = keeper
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
        answer = await client.get("/healthz")
    await app.state.database.close()
    return answer.status_code, answer.json()


async def test_a_phone_that_never_starts_is_no_health(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.process_keeper.FIRST_PAUSE_S", 0.01)
    migrate(settings)
    keeper = PhoneKeeper(settings, DIES)
    assert await health(settings, keeper) == (
        200,
        {"status": "ok", "database": "ok", "phone": "starting", "phone_starts": 0, "phone_last_status": None},
    )
    keeper.start()
    try:
        await until(lambda: keeper.failures >= 3)
        assert keeper.failing
        status, told = await health(settings, keeper)
    finally:
        await keeper.stop()
    assert (status, told["status"], told["phone"]) == (503, "failed", "failing")
    assert told["phone_last_status"] == 7
    assert isinstance(told["phone_starts"], int)
    assert told["phone_starts"] >= 3


async def test_a_phone_that_is_ready_is_health(settings: Settings) -> None:
    migrate(settings)
    keeper = PhoneKeeper(settings, READY_THEN_DIES)
    keeper.start()
    try:
        await asyncio.wait_for(keeper.ready.wait(), 30)
        status, told = await health(settings, keeper)
    finally:
        await keeper.stop()
    assert (status, told["phone"], told["phone_starts"]) == (200, "ready", 1)


async def serve(settings: Settings, **variables: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.cli", "serve", "--port", "0",
        env=settings.environment() | variables, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, told = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, told.decode()


async def test_serve_refuses_a_prompt_that_is_not_there(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "nowhere.wav"
    status, told = await serve(settings, DUTYRING_SAY=str(path))
    assert status == 3
    assert told == f"dutyring serve: DUTYRING_SAY: {path}: No such file or directory\n"


@pytest.mark.parametrize(
    ("host", "private"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("192.0.2.7", False)],
)
def test_only_loopback_is_private(host: str, private: bool) -> None:
    """Without logins, every other address is warned about when the service starts."""
    assert is_loopback(host) is private
