"""Settings: their documentation, their checks, and what a log may show of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.logs import configure, mask_secrets
from app.settings import Settings, TrunkSettings, problem

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")


def test_every_setting_is_described_and_documented() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert f"| `DUTYRING_{name.upper()}` |" in PAGE
        assert field.description in PAGE
    for name, field in TrunkSettings.model_fields.items():
        assert f"| `{name}` |" in PAGE
        assert field.description in PAGE


def test_the_page_names_no_setting_that_is_gone() -> None:
    named = {line.split("`")[1] for line in PAGE.splitlines() if line.startswith("| `DUTYRING_")}
    assert named == {f"DUTYRING_{name.upper()}" for name in Settings.model_fields}


def test_defaults_stand_in_the_data_folder(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert settings.url == f"sqlite+aiosqlite:///{tmp_path}/dutyring.sqlite3"
    assert settings.recordings_dir == tmp_path / "recordings"
    assert settings.host == "127.0.0.1"


def test_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUTYRING_CONCURRENCY", "9")
    monkeypatch.setenv("DUTYRING_TRUNKS__main__HOST", "192.0.2.1")
    monkeypatch.setenv("DUTYRING_TRUNKS__main__PASSWORD", "hush")
    settings = Settings()
    assert settings.concurrency == 9
    assert settings.trunks["main"].host == "192.0.2.1"
    assert "hush" not in repr(settings)
    assert "hush" not in str(settings.model_dump())


@pytest.mark.parametrize(
    "wrong",
    [
        {"timezone": "Mars/Base"},
        {"port": 70_000},
        {"concurrency": 0},
        {"max_ring_s": -1},
        {"log_level": "loud"},
    ],
)
def test_wrong_values_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"three_ring_within_s": 16.0}, "DUTYRING_THREE_RING_WITHIN_S is 16"),
        ({"three_ring_limit_s": 16.0}, "DUTYRING_OVERTIME_FINDING_S is 20; it takes at least 21"),
        ({"overtime_finding_s": 19.9}, "DUTYRING_OVERTIME_FINDING_S is 19.9"),
    ],
)
def test_limits_must_stand_in_order(wrong: dict[str, float], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        Settings(**wrong)
    assert Settings(three_ring_within_s=15, three_ring_limit_s=15).overtime_finding_s == 20


SECRET = "HUNTER2" + "SECRET"
WRONG_TRUNKS = [
    (json.dumps({"main": {"user": "duty", "password": SECRET}}), "DUTYRING_TRUNKS (main.host)"),
    (json.dumps({"main": {"host": "pbx", "password": [SECRET]}}), "DUTYRING_TRUNKS (main.password)"),
    (json.dumps({"main": SECRET}), "DUTYRING_TRUNKS (main)"),
    (f'{{"main": {SECRET}', "DUTYRING_TRUNKS cannot be read as JSON"),
]


@pytest.mark.parametrize("module", ["app.cli", "app.phone_process"])
@pytest.mark.parametrize(("trunks", "named"), WRONG_TRUNKS)
def test_a_wrong_setting_is_one_line_without_its_secret(
    module: str, trunks: str, named: str, tmp_path: Path
) -> None:
    given = {"DUTYRING_TRUNKS": trunks, "DUTYRING_DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", module, *(["db", "current"] if module == "app.cli" else [])],
        env=os.environ | given,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"dutyring: {named}")
    assert done.stderr.count("\n") == 1
    assert "it takes: " in done.stderr
    assert SECRET not in done.stderr + done.stdout


def test_no_error_shows_what_was_given() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(trunks={"main": {"password": SECRET}})  # type: ignore[dict-item]
    assert SECRET not in str(caught.value)
    assert problem(ValueError("other")) is None


def test_secrets_are_masked_in_logs(capsys: pytest.CaptureFixture[str]) -> None:
    import structlog

    configure(Settings(log_json=True))
    structlog.get_logger("x").warning("registering", trunk="main", password="hush", auth_token="t0k")
    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "registering"
    assert line["trunk"] == "main"
    assert line["password"] == line["auth_token"] == "***"
    assert mask_secrets(None, "", {"Authorization": "Digest x"}) == {"Authorization": "***"}


def test_tracebacks_show_no_local_variables(capsys: pytest.CaptureFixture[str]) -> None:
    import structlog

    configure(Settings())
    hidden = "local-" + "value"
    try:
        raise ValueError(len(hidden))
    except ValueError:
        structlog.get_logger("x").exception("failed")
    shown = capsys.readouterr().err
    assert "ValueError: 11" in shown
    assert hidden not in shown
