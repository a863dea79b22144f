"""`dutyring transcribe`, `models`, `analyze --transcribe`: what they refuse, and what they say without an engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli import main
from app.commands.call_summary import summary
from app.settings import get_settings
from sip.phone import failed_record
from tests.line_sounds import voice
from tests.unit.test_progress_files import write


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place without models, and no setting of ours."""
    monkeypatch.chdir(tmp_path)
    for name in ("TRANSCRIBER", "VOSK_MODEL", "WHISPER_MODEL", "DATA_DIR"):
        monkeypatch.delenv(f"DUTYRING_{name}", raising=False)
    monkeypatch.setenv("DUTYRING_MODELS_DIR", str(tmp_path / "models"))
    get_settings.cache_clear()
    write(tmp_path / "said.wav", voice(2.0))
    yield tmp_path
    get_settings.cache_clear()


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert isinstance(ended.value.code, int)
    return ended.value.code


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the one line that a refusal writes."""
    get_settings.cache_clear()
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line


def test_without_an_engine_it_says_what_to_install(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "transcribe", "said.wav")
    assert "no speech can be recognised" in line
    assert "models install" in line or "make whisper" in line
    assert "no speech can be recognised" in refused(capsys, "analyze", "said.wav", "--transcribe")


def test_wrong_arguments_and_settings_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "'up' is not one of left, right, mix" in refused(
        capsys, "transcribe", "said.wav", "--channel", "up"
    )
    assert "'kaldi' is not one of vosk, whisper" in refused(
        capsys, "transcribe", "said.wav", "--engine", "kaldi"
    )
    assert "no model of vosk" in refused(capsys, "transcribe", "said.wav", "--engine", "vosk")
    words = folder / "words.json"
    words.write_text(json.dumps({"schema": "dutyring.transcript/1", "utterances": []}))
    both = refused(capsys, "analyze", "said.wav", "--transcribe", "--transcript", str(words))
    assert "given by --transcript" in both
    assert "not raw A-law" in refused(capsys, "analyze", "said.wav", "--transcribe", "--alaw")
    monkeypatch.setenv("DUTYRING_VOSK_MODEL", str(folder))
    wrong = refused(capsys, "transcribe", "said.wav")
    assert "DUTYRING_VOSK_MODEL" in wrong
    assert "lacks am/final.mdl" in wrong
    # A call is not placed by settings that mean nothing.
    assert "DUTYRING_VOSK_MODEL" in refused(capsys, "call", "sip:62@127.0.0.1:9")


def test_models_are_listed_refused_and_verified(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models", "list") == 0
    told = capsys.readouterr().out
    assert "vosk-small-cn" in told
    assert "whisper-base" in told
    assert "nothing is used" in told
    assert "there are vosk-small-cn, whisper-base" in refused(capsys, "models", "install", "vosk-large")
    assert "no such file" in refused(capsys, "models", "install", "vosk-small-cn", "--from", "nowhere.zip")
    assert run("models", "install", "vosk-small-cn", "--from", "said.wav") == 3
    assert "its SHA-256 is" in capsys.readouterr().err
    assert run("models", "verify") == 0
    assert "no model is in" in capsys.readouterr().out
    damaged = folder / "models" / "whisper-base"
    damaged.mkdir(parents=True, exist_ok=True)
    assert run("models", "verify") == 1
    assert "SHA256SUMS" in capsys.readouterr().out


def test_what_was_said_stands_in_the_summary_of_a_call() -> None:
    record = failed_record("sip:62@127.0.0.1", "no socket").to_dict()
    assert "said" not in dict(summary(record))
    said = {"start_ms": 1_250.0, "end_ms": 2_000.0, "text": "值班室\x1b[2J", "words": [], "confidence": None}
    record["transcript"] = {"utterances": [said]}
    assert dict(summary(record))["said"] == "at 1.2 s: 值班室\N{REPLACEMENT CHARACTER}[2J"
