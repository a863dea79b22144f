"""`dutyring db`, `serve`, `trunks` and `numbers` with what a hurried hand types."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.cli import main
from app.commands.numbers import in_records
from app.database import current
from app.operations.readiness import known_revisions
from app.settings import Settings, TrunkSettings, get_settings
from app.trunks.models import PolicyNumber
from app.trunks.service import PresentError
from tests.web.migrated import migrate

COMMAND = [sys.executable, "-m", "app.cli"]


def answer(settings: Settings, text: bytes, *arguments: str) -> int:
    """Run a command on a terminal and type an answer to its question."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        env=os.environ | settings.environment(),
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    os.write(ours, text)
    try:
        return process.wait(60)
    finally:
        os.close(ours)


@dataclass
class Done:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


class Enter(Protocol):
    """Runs a command in this process: as a process of its own it would be the same, and slower."""

    def __call__(self, settings: Settings, *arguments: str, typed: str = "") -> Done: ...


@pytest.fixture
def entered(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Enter]:
    def run_here(settings: Settings, *arguments: str, typed: str = "") -> Done:
        for name, value in settings.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        get_settings.cache_clear()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        out, err = capsys.readouterr()
        return Done(int(ended.value.code or 0), out, err)

    yield run_here
    get_settings.cache_clear()


@pytest.mark.parametrize("revision", ["base", "-1"])
def test_evidence_is_not_deleted_without_a_yes(settings: Settings, entered: Enter, revision: str) -> None:
    migrate(settings)
    head = current(settings)
    done = entered(settings, "db", "downgrade", revision)
    assert done.returncode == 2
    assert done.stderr.startswith("dutyring: ")
    assert "--yes" in done.stderr
    assert done.stderr.count("\n") == 1
    assert current(settings) == head


@pytest.mark.parametrize("revision", ["base", "-1"])
def test_down_with_a_yes(settings: Settings, entered: Enter, revision: str) -> None:
    migrate(settings)
    done = entered(settings, "db", "downgrade", revision, "--yes")
    left = None if revision == "base" else sorted(known_revisions())[-2]
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{left or 'empty'}\n", "")
    assert current(settings) == left


def test_on_a_terminal_it_asks(settings: Settings) -> None:
    migrate(settings)
    head = current(settings)
    assert answer(settings, b"n\n", "db", "downgrade", "-1") == 1
    assert current(settings) == head
    assert answer(settings, b"y\n", "db", "downgrade", "base") == 0
    assert current(settings) is None


@pytest.mark.parametrize(
    "arguments",
    [
        ("db", "downgrade", "--nonsense"),
        ("db", "downgrade", "nowhere", "--yes"),
        ("serve", "--port", "99999"),
        ("serve", "--port", "-1"),
    ],
)
def test_wrong_arguments_are_one_line(settings: Settings, entered: Enter, arguments: tuple[str, ...]) -> None:
    migrate(settings)
    done = entered(settings, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("dutyring: ")
    assert done.stderr.count("\n") == 1


def test_a_trunk_is_entered_shown_disabled_and_removed(settings: Settings, entered: Enter) -> None:
    assert entered(settings, "trunks").returncode == 0
    assert not settings.data_dir.exists()
    add = ("trunks", "add", "main", "--host", "pbx.example", "--transport", "tcp", "--register")
    done = entered(settings, *add, "--set", "country=86", "--set", 'codecs=["PCMU"]', "--set", "port=5070")
    assert (done.returncode, done.stderr) == (0, "")
    shown = entered(settings, "trunks", "--json")
    # Nobody knows how it is while no service runs.
    assert shown.returncode == 1
    (trunk,) = json.loads(shown.stdout)["trunks"]
    assert (trunk["name"], trunk["state"], trunk["server"]) == ("main", "unknown", "pbx.example:5070")
    told = json.loads(entered(settings, "trunks", "show", "main", "--json").stdout)
    assert told["config"]["codecs"] == ["PCMU"]
    assert (told["config"]["country"], told["config"]["registration"]) == ("86", True)
    assert "pbx.example" in entered(settings, "trunks", "show", "main").stdout
    assert entered(settings, "trunks", "disable", "main").returncode == 0
    disabled = entered(settings, "trunks", "--json")
    assert disabled.returncode == 0
    assert json.loads(disabled.stdout)["trunks"][0]["state"] == "disabled"
    assert entered(settings, "trunks", "enable", "main").returncode == 0
    assert entered(settings, "trunks", "remove", "main").returncode == 0
    assert json.loads(entered(settings, "trunks", "--json").stdout)["trunks"] == []


def test_a_trunk_of_the_settings_wins_and_the_record_is_said_to_be_unused(
    settings: Settings, entered: Enter
) -> None:
    given = settings.model_copy(update={"trunks": {"main": TrunkSettings(host="deployed")}})
    # model_copy leaves no mark of what was set; the environment is made of those marks.
    given.model_fields_set.add("trunks")
    done = entered(given, "trunks", "add", "main", "--host", "entered.example")
    assert "settings have a trunk 'main' too" in done.stdout
    rows = json.loads(entered(given, "trunks", "--json").stdout)["trunks"]
    assert [(row["server"], row["state"]) for row in rows] == [
        ("deployed", "unknown"),
        ("entered.example", "shadowed"),
    ]
    assert entered(given, "trunks", "show", "main").returncode == 1


def test_the_files_of_a_trunk_are_kept_by_whole_paths(
    settings: Settings, entered: Enter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    add = ("trunks", "add", "main", "--host", "pbx", "--user", "u", "--password-file", "secret")
    assert entered(settings, *add, "--set", "tls_ca_file=ca.pem").returncode == 0
    told = json.loads(entered(settings, "trunks", "show", "main", "--json").stdout)["config"]
    assert (told["password_file"], told["tls_ca_file"]) == (f"{tmp_path}/secret", f"{tmp_path}/ca.pem")


def test_an_address_is_whole_on_a_narrow_terminal(
    settings: Settings, entered: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    entered(settings, "trunks", "add", "main", "--host", "a-session-border-controller.county.example")
    shown = entered(settings, "trunks").stdout
    assert "…" not in shown


def test_two_processes_that_enter_one_answer_key_do_not_show_it(
    empty_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in empty_settings.environment().items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()

    async def enter_twice(session: AsyncSession) -> None:
        # Between the look of the one and its writing, the other has written.
        for _ in range(2):
            row = PolicyNumber(kind="answer_key", number="+869173262001", created_at=datetime.now(UTC))
            session.add(row)
            await session.flush()

    with pytest.raises(PresentError) as caught:
        in_records(enter_twice)
    assert "3262001" not in str(caught.value)
    get_settings.cache_clear()


def test_brackets_in_names_and_labels_are_shown_as_they_are(settings: Settings, entered: Enter) -> None:
    assert entered(settings, "trunks", "add", "[/x]", "--host", "pbx.example").returncode == 0
    assert "[/x]" in entered(settings, "trunks").stdout
    assert "[/x]" in entered(settings, "trunks", "show", "[/x]").stdout
    assert entered(settings, "numbers", "add", "deny", "168*", "--label", "[/bold]").returncode == 0
    assert "[/bold]" in entered(settings, "numbers", "list").stdout


def test_what_stands_against_the_phone_itself_can_be_shown(settings: Settings, entered: Enter) -> None:
    migrate(settings)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    alarms = json.dumps([{"kind": "clock_unsynchronised", "since": f"{now[:19]}+00:00", "detail": ""}])
    with contextlib.closing(sqlite3.connect(settings.data_dir / "dutyring.sqlite3")) as database, database:
        database.execute(
            "INSERT INTO trunk_status (name, state, since, told_at, calls, alarms, detail)"
            " VALUES ('phone', 'up', ?, ?, 0, ?, '')",
            (now, now, alarms),
        )
    done = entered(settings, "trunks", "show", "phone", "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["alarms"][0]["kind"], told["config"]) == ("clock_unsynchronised", {})


WRONG = [
    (("trunks", "add", "main"), "--host"),
    (("trunks", "add", "main", "--host", "two words"), "--host"),
    (("trunks", "add", " ", "--host", "pbx"), "NAME"),
    (("trunks", "add", "direct", "--host", "pbx"), "NAME"),
    (("trunks", "add", "main", "--host", "pbx", "--set", f"priority={10**20}"), "--set"),
    (("trunks", "add", "main", "--host", "pbx", "--set", "health_s=1e999"), "--set"),
    (("trunks", "add", "main", "--host", "pbx", "--set", "identity=sip:me:hush@pbx"), "--set"),
    (("trunks", "add", "main", "--host", "pbx", "--set", "password=hush"), "--password-file"),
    (("trunks", "add", "main", "--host", "pbx", "--transport", "pigeon"), "--transport"),
    (("trunks", "add", "main", "--host", "pbx", "--set", "password=hush"), "--set"),
    (("trunks", "add", "main", "--host", "pbx", "--set", "codecs"), "--set"),
    (("trunks", "add", "main", "--host", "pbx", "--set", "codecs=[]"), "--set"),
    (("trunks", "add", "main", "--host", "pbx", "--set", "ptime_ms=soon"), "--set"),
    (("trunks", "add", "m", "--host", "pbx", "--password-env", "A", "--password-file", "B"), "--set"),
    (("trunks", "show", "nothing"), "NAME"),
    (("trunks", "remove", "nothing"), "NAME"),
    (("trunks", "enable", "nothing"), "NAME"),
    (("trunks", "--loud"), "--loud"),
    (("trunks", "--check", "--wait", "0"), "--wait"),
    (("numbers", "add", "friend", "1"), "KIND"),
    (("numbers", "add", "allow"), "NUMBER"),
    (("numbers", "add", "allow", "nobody"), "NUMBER"),
    (("numbers", "add", "deny", "*9"), "NUMBER"),
    (("numbers", "add", "deny", "168*", "--label", "x" * 121), "--label"),
    (("numbers", "add", "deny", "168*", "--label", "a\x1b[31m"), "--label"),
    (("numbers", "add", "key", "0917-3262001"), "NUMBER"),
    (("numbers", "add", "key"), "NUMBER"),
    (("numbers", "remove", "allow", "0917-3262001"), "NUMBER"),
]


@pytest.mark.parametrize(("arguments", "named"), WRONG)
def test_wrong_trunks_and_numbers_are_one_line(
    settings: Settings, entered: Enter, arguments: tuple[str, ...], named: str
) -> None:
    migrate(settings)
    done = entered(settings, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("dutyring: ")
    assert named in done.stderr
    assert done.stderr.count("\n") == 1
    assert "hush" not in done.stderr


KEY = "0917-3262001"


def test_answer_keys_are_shown_masked_and_their_revealing_is_on_record(
    settings: Settings, entered: Enter
) -> None:
    assert entered(settings, "numbers", "add", "key", "--label", "省", typed=f"{KEY}\n").returncode == 0
    assert entered(settings, "numbers", "add", "deny", "400*").returncode == 0
    listed = entered(settings, "numbers", "list", "--json")
    rows = json.loads(listed.stdout)["numbers"]
    assert rows == [
        {"kind": "key", "number": "…01", "label": "省"},
        {"kind": "deny", "number": "400*", "label": ""},
    ]
    assert "3262001" not in listed.stdout + entered(settings, "numbers", "list").stdout
    assert revealings(settings) == 0
    assert "+869173262001" in entered(settings, "numbers", "list", "--reveal").stdout
    assert revealings(settings) == 1
    again = entered(settings, "numbers", "add", "key", typed=KEY)
    assert again.returncode == 2
    assert "3262001" not in again.stderr
    assert entered(settings, "numbers", "remove", "key", typed=KEY).returncode == 0
    assert entered(settings, "numbers", "remove", "deny", "400*").returncode == 0
    assert json.loads(entered(settings, "numbers", "list", "--json").stdout)["numbers"] == []


@contextmanager
def server() -> Iterator[int]:
    """A SIP server that answers every OPTIONS; gives its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(0.1)
        over = threading.Event()

        def answer_all() -> None:
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    data, source = listener.recvfrom(4096)
                    kept = [
                        line for line in data.split(b"\r\n")
                        if line.partition(b":")[0] in (b"Via", b"From", b"Call-ID", b"CSeq")
                    ]  # fmt: skip
                    to = next(line for line in data.split(b"\r\n") if line.startswith(b"To:")) + b";tag=1"
                    head = [b"SIP/2.0 200 OK", *kept, to, b"Content-Length: 0", b"", b""]
                    listener.sendto(b"\r\n".join(head), source)

        thread = threading.Thread(target=answer_all)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            thread.join()


def test_trunks_are_brought_up_here_without_a_service(settings: Settings, entered: Enter) -> None:
    with server() as port, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        dead = closed.getsockname()[1]
        closed.close()
        good = TrunkSettings(host="127.0.0.1", port=port)
        given = settings.model_copy(
            update={"trunks": {"good": good, "dead": TrunkSettings(host="127.0.0.1", port=dead)}}
        )
        given.model_fields_set.add("trunks")
        done = entered(given, "trunks", "--check", "--json")
        assert done.returncode == 1, done.stderr
        rows = {row["name"]: row for row in json.loads(done.stdout)["trunks"]}
        assert (rows["good"]["state"], rows["good"]["alarms"]) == ("up", [])
        assert rows["dead"]["state"] == "down"
        (alarm,) = rows["dead"]["alarms"]
        assert alarm["kind"] == "trunk_unreachable"
        assert alarm["zh"]
        assert alarm["do_en"]
        told = entered(given, "trunks", "--check").stdout
        assert alarm["zh"] in told
        assert alarm["en"] in told
        alone = given.model_copy(update={"trunks": {"good": good}})
        alone.model_fields_set.add("trunks")
        assert entered(alone, "trunks", "--check").returncode == 0


def revealings(settings: Settings) -> int:
    with sqlite3.connect(settings.data_dir / "dutyring.sqlite3") as connection:
        query = "SELECT count(*) FROM audit_events WHERE action = 'reveal'"
        return int(connection.execute(query).fetchone()[0])


def test_a_broken_database_is_one_line(settings: Settings, entered: Enter) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / "dutyring.sqlite3").write_bytes(b"no database at all, " * 100)
    for arguments in (("trunks",), ("numbers", "list")):
        done = entered(settings, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "DUTYRING_DATA_DIR" in done.stderr
        assert done.stderr.count("\n") == 1
