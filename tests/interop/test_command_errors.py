"""Wrong arguments, dead far ends and bad sound files: exit status and message of the contract."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.interop.conftest import parse, run_dutyring, run_here
from tests.interop.sipp import free_port
from tests.interop.sounds import alaw, ringback


def check_wrong_argument(done: subprocess.CompletedProcess[str], *names: str) -> None:
    """Exit 2, nothing on standard output, one line on standard error that names the argument."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert any(name in done.stderr for name in names), done.stderr


def nobody() -> str:
    return f"sip:62@127.0.0.1:{free_port()}"


@pytest.mark.parametrize(
    "target",
    [
        "nonsense",
        "sip:",
        "sip:62@",
        "http://127.0.0.1/",
        "sip:62@127.0.0.1:99999",
        "sip:62@127.0.0.1:x",
        "mailto:a@b",
        "",
    ],
)
def test_bad_uri(tmp_path: Path, target: str) -> None:
    check_wrong_argument(run_here("call", target, "--json", cwd=tmp_path), "TARGET", "target")


def _come(exchange: socket.socket) -> Iterator[bytes]:
    """Yield what comes until nothing does for a while."""
    with contextlib.suppress(TimeoutError):
        for _ in range(100):
            yield exchange.recv(2048)


@pytest.mark.parametrize("number", ["110", "119", "120", "122", "999", "112", "911"])
def test_emergency_numbers_are_refused(tmp_path: Path, number: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as exchange:
        exchange.bind(("127.0.0.1", 0))
        exchange.settimeout(0.3)
        target = f"sip:{number}@127.0.0.1:{exchange.getsockname()[1]}"
        check_wrong_argument(run_here("call", target, "--json", cwd=tmp_path), "TARGET", "target", number)
        # A late answer to whoever had this port before is not ours.
        assert not any(datagram.startswith(b"INVITE") for datagram in _come(exchange))


@pytest.mark.parametrize(
    "user",
    [
        "tel:110",
        "sip:%31%31%30@127.0.0.1:5999",
        "sip:110;phone-context=cn@127.0.0.1:5999",
        "sip:+86110@127.0.0.1:5999",
        "sip:1-1-0@127.0.0.1:5999",
    ],
)
def test_emergency_numbers_in_disguise_are_refused(tmp_path: Path, user: str) -> None:
    check_wrong_argument(run_here("call", user, "--json", cwd=tmp_path), "TARGET", "target", "110")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--max-ring", "soon"),
        ("--max-ring", "-1"),
        ("--max-ring", "0"),
        ("--max-ring", "nan"),
        ("--max-ring", "inf"),
        ("--max-talk", "-3"),
        ("--transport", "carrier-pigeon"),
        ("--bind", "not an address"),
        ("--bind", "127.0.0.1:70000"),
        ("--from", "nobody"),
        ("--password-env", "DUTYRING_NOT_SET"),
        ("--say", "missing.wav"),
        ("--record", "no/such/folder/call.flac"),
        ("--record", "call.mp9"),
        ("--trunk", "nothing"),
        ("--send-digits", "12x"),
        ("--send-digits", "9w110"),
        ("--pcap", "no/such/folder/call.pcap"),
        ("--trace", "no/such/folder/call.txt"),
        ("--tls-ca", "no-such-ca.pem"),
        ("--srtp", "perhaps"),
        ("--same-unit", "the switchboard"),
        ("--history", "-1"),
    ],
)
def test_bad_option(tmp_path: Path, option: str, value: str) -> None:
    extra = ("--user", "duty") if option == "--password-env" else ()
    check_wrong_argument(run_here("call", nobody(), "--json", option, value, *extra, cwd=tmp_path), option)


TRUNKS = {"main": {"host": "127.0.0.1", "port": 9}, "off": {"host": "127.0.0.1", "enabled": False}}


@pytest.mark.parametrize(
    ("target", "options", "named"),
    [
        ("0917-5550001", ("--trunk", "main"), "TARGET"),
        ("0917-5550003", ("--trunk", "main"), "TARGET"),
        ("110", ("--trunk", "main"), "TARGET"),
        ("00852-12345678", ("--trunk", "main"), "TARGET"),
        ("nobody", ("--trunk", "main"), "TARGET"),
        ("0917-5550002", (), "TARGET"),
        ("sip:09175550003@127.0.0.1:9", (), "TARGET"),
        ("sip:16812345@127.0.0.1:9", (), "TARGET"),
        ("0917-5550002", ("--trunk", "other"), "--trunk"),
        ("0917-5550002", ("--trunk", "off"), "--trunk"),
        ("0917-5550002", ("--trunk", "main", "--transport", "tcp"), "--transport"),
        ("0917-5550002", ("--trunk", "main", "--srtp", "off"), "--srtp"),
        ("sip:62@127.0.0.1:9;transport=tcp", ("--transport", "udp"), "--transport"),
    ],
)
def test_what_a_trunk_or_the_policy_does_not_bear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, options: tuple[str, ...], named: str
) -> None:
    """0917-5550002 alone is on the list of what may be dialled, 0917-5550003 is an answer key."""
    (tmp_path / "keys").write_text("0917-5550003\n")
    monkeypatch.setenv("DUTYRING_TRUNKS", json.dumps(TRUNKS))
    monkeypatch.setenv("DUTYRING_ALLOW_NUMBERS", '["0917-5550002", "0917-5550003"]')
    monkeypatch.setenv("DUTYRING_ANSWER_KEYS_FILE", str(tmp_path / "keys"))
    done = run_here("call", target, "--json", *options, cwd=tmp_path)
    check_wrong_argument(done, named)
    if "5550003" in target:
        assert "5550003" not in done.stderr


@pytest.mark.parametrize("line", ["duty office", ""])
def test_answer_keys_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    if line:
        (tmp_path / "keys").write_text(f"{line}\n")
    monkeypatch.setenv("DUTYRING_ANSWER_KEYS_FILE", str(tmp_path / "keys"))
    check_wrong_argument(run_here("call", nobody(), "--json", cwd=tmp_path), "DUTYRING_ANSWER_KEYS_FILE")


def test_records_that_cannot_be_read_forbid_the_call(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "dutyring.sqlite3").write_bytes(b"no database, " * 100)
    check_wrong_argument(run_here("call", nobody(), "--json", cwd=tmp_path), "DUTYRING_DATA_DIR")


def test_unreadable_prompt(tmp_path: Path) -> None:
    (tmp_path / "prompt.wav").write_text("this is no sound")
    check_wrong_argument(run_here("call", nobody(), "--json", "--say", "prompt.wav", cwd=tmp_path), "--say")


def test_recording_onto_a_folder(tmp_path: Path) -> None:
    (tmp_path / "call.flac").mkdir()
    check_wrong_argument(
        run_here("call", nobody(), "--json", "--record", "call.flac", cwd=tmp_path), "--record"
    )


@pytest.mark.parametrize("second", ["--pcap", "--trace"])
def test_one_file_for_two_things(tmp_path: Path, second: str) -> None:
    done = run_here("call", nobody(), "--record", "a.wav", second, "./a.wav", cwd=tmp_path)
    check_wrong_argument(done, second)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("second", ["--pcap", "--trace"])
def test_nothing_is_left_behind_where_a_later_file_cannot_be_written(tmp_path: Path, second: str) -> None:
    done = run_here("call", nobody(), "--record", "a.wav", second, "no/such/folder", cwd=tmp_path)
    check_wrong_argument(done, second)
    assert not list(tmp_path.iterdir())


def test_unknown_option_and_missing_target(tmp_path: Path) -> None:
    check_wrong_argument(run_dutyring("call", nobody(), "--loud", cwd=tmp_path), "--loud")
    check_wrong_argument(run_here("call", "--json", cwd=tmp_path), "TARGET", "target")


def test_port_without_a_listener(tmp_path: Path) -> None:
    """The ICMP refusal ends the call at once: it is our side's failure, not the duty line's."""
    done = run_dutyring("call", nobody(), "--json", "--record", "call.flac", cwd=tmp_path, timeout_s=20)
    record = parse(done.stdout, done.stderr)
    assert done.returncode == 3
    assert record["outcome"] == "network_failure"
    assert record["sip_status"] is None
    assert record["ended_by"] == "network"
    assert any("refused" in error.lower() for error in record["errors"]), record["errors"]
    assert record["ended_ms"] < 5000


@pytest.mark.parametrize("host", ["no-such-host.invalid", "255.255.255.255"])
def test_unreachable_host(tmp_path: Path, host: str) -> None:
    done = run_dutyring("call", f"sip:62@{host}:5060", "--json", cwd=tmp_path, timeout_s=50)
    record = parse(done.stdout, done.stderr)
    assert done.returncode == 3
    assert record["outcome"] == "network_failure"
    assert record["errors"]


def test_local_port_in_use(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        local = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run_dutyring("call", nobody(), "--json", "--bind", local, cwd=tmp_path)
    record = parse(done.stdout, done.stderr)
    assert done.returncode == 3
    assert record["outcome"] == "network_failure"
    assert record["errors"]


def analyse(folder: Path, name: str, *options: str) -> dict:
    done = run_here("analyze", name, "--json", *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    record = parse(done.stdout, done.stderr)
    assert record["schema"] == "dutyring.audio/1"
    assert {"segments", "rings", "early_media", "line_state", "errors"} <= set(record)
    return record


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100, 48_000])
def test_analyze_takes_any_rate(tmp_path: Path, rate: int) -> None:
    t = np.arange(round(11 * rate)) / rate
    samples = 0.2 * np.sin(2 * np.pi * 450 * t) * ((t % 5) < 1)
    soundfile.write(tmp_path / "line.wav", samples, rate)
    record = analyse(tmp_path, "line.wav")
    assert record["errors"] == []
    assert record["rings"]["count"] == 3
    starts = [burst["start_ms"] for burst in record["rings"]["bursts"]]
    assert starts == pytest.approx([0, 5000, 10_000], abs=30)
    assert record["rings"]["bursts"][0]["frequency_hz"] == pytest.approx(450, abs=2)


def test_analyze_takes_the_right_channel_of_a_stereo_file(tmp_path: Path) -> None:
    line = ringback(2)
    soundfile.write(tmp_path / "call.flac", np.stack([np.zeros_like(line), line], axis=1), 8000)
    assert analyse(tmp_path, "call.flac")["rings"]["count"] == 2
    assert not analyse(tmp_path, "call.flac", "--channel", "left")["rings"]["count"]
    assert analyse(tmp_path, "call.flac", "--channel", "mix")["rings"]["count"] == 2


def test_analyze_raw_alaw(tmp_path: Path) -> None:
    (tmp_path / "line.al").write_bytes(alaw(ringback(2)))
    assert analyse(tmp_path, "line.al", "--alaw")["rings"]["count"] == 2


@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_analyze_takes_a_truncated_file_as_far_as_it_goes(tmp_path: Path, kind: str) -> None:
    whole, cut = tmp_path / f"whole.{kind}", tmp_path / f"cut.{kind}"
    soundfile.write(whole, np.concatenate([ringback(3)]), 8000)
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) * 2 // 3])
    record = analyse(tmp_path, cut.name)
    assert any("truncated" in error.lower() for error in record["errors"]), record["errors"]
    assert record["rings"]["count"] in (1, 2)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no sound at all, only words\n" * 40])
def test_analyze_refuses_what_is_no_sound(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "line.wav").write_bytes(content)
    check_wrong_argument(run_here("analyze", "line.wav", "--json", cwd=tmp_path), "line.wav", "FILE")


def test_analyze_refuses_a_missing_file_a_folder_and_a_sound_without_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 8000)
    for name in ("missing.wav", ".", "empty.wav"):
        check_wrong_argument(run_here("analyze", name, "--json", cwd=tmp_path), name, "FILE")


def test_analyze_refuses_a_rate_below_8_khz(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "slow.wav", np.zeros(4000), 4000)
    check_wrong_argument(run_here("analyze", "slow.wav", "--json", cwd=tmp_path), "slow.wav", "FILE")


def test_json_is_alone_on_standard_output(tmp_path: Path) -> None:
    done = run_dutyring("call", nobody(), "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["schema"] == "dutyring.call/1"
