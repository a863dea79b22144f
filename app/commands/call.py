"""`dutyring call`: one call, its facts as JSON or as a timeline to read."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

import recordings
from app.commands.call_line import CallArguments, Line, choose_line
from app.commands.call_room import no_room
from app.commands.call_summary import summary
from app.commands.call_words import note_that_nothing_is_recognised, with_words, words_of_call
from app.commands.transcribe import the_engine
from sip.media import MediaError, SoundFileError, load_prompt
from sip.phone import Phone, Script, failed_record
from sip.record import CallRecord, TimelineEntry
from sip.trace import CallTrace

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

EXIT_OUR_FAILURE = 3
RECORDING_SUFFIXES = (".flac", ".wav")


def run(arguments: CallArguments) -> int:
    """Place the call; return the exit status. Wrong arguments raise `typer.BadParameter` before anything is sent."""
    line = choose_line(arguments)
    _refuse_one_file_for_two(arguments)
    reason = no_room(arguments)
    if reason is not None:
        return _refuse(arguments, reason)
    ears = None if arguments.tones_only else the_engine(None)
    script = _script(arguments, line.trunk.name, listens=ears is not None)
    if ears is None and not arguments.tones_only and not arguments.as_json:
        note_that_nothing_is_recognised()
    trace = CallTrace() if arguments.pcap or arguments.trace else None
    show = _Progress(quiet=arguments.as_json)
    record = asyncio.run(_place(arguments.target, line, script, trace, show))
    said = words_of_call(ears, record, script.capture, quiet=arguments.as_json)
    record = _keep_recording(record, arguments.record, script.capture)
    if trace is not None:
        record = _keep_trace(record, arguments, trace, script.packets)
    facts = with_words(record, said)
    if arguments.as_json:
        print(json.dumps(facts, ensure_ascii=False))  # noqa: T201
    else:
        show.result(facts)
    return EXIT_OUR_FAILURE if record.our_failure else 0


def _refuse(arguments: CallArguments, reason: str) -> int:
    """Report a call that our own side cannot carry; return the exit status."""
    record = failed_record(arguments.target, reason)
    if arguments.as_json:
        print(json.dumps(record.to_dict(), ensure_ascii=False))  # noqa: T201
    typer.echo(f"dutyring: {reason}", err=True)
    return EXIT_OUR_FAILURE


async def _place(
    target: str, line: Line, script: Script, trace: CallTrace | None, show: _Progress
) -> CallRecord:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        async with Phone(line.trunk, policy=line.policy, samples=line.samples) as phone:
            with show:
                names = [line.trunk.name] if not line.trunk.is_direct else None
                return await phone.call(
                    target, script, trunks=names, on_update=show.update, stop=stop, trace=trace
                )
    except MediaError as error:
        return failed_record(target, str(error))


def _script(arguments: CallArguments, trunk: str, *, listens: bool) -> Script:
    for value, name in ((arguments.max_ring_s, "--max-ring"), (arguments.max_talk_s, "--max-talk")):
        if not 0 < value <= 3_600:
            raise typer.BadParameter(
                f"{value:g} is not a number of seconds over 0, up to 3600", param_hint=f"'{name}'"
            )
    prompt = _prompt(arguments.say)
    capture = _capture_path(arguments.record, listens=listens)
    try:
        packets = _packets_path(arguments)
    except typer.BadParameter:
        if capture is not None:
            capture.unlink()
        raise
    return Script(
        max_ring_s=arguments.max_ring_s,
        max_talk_s=arguments.max_talk_s,
        say=prompt,
        digits=arguments.digits,
        capture=capture,
        packets=packets,
        ring_history_ms={trunk: arguments.history_ms},
        same_unit=arguments.same_unit,
    )


def _refuse_one_file_for_two(arguments: CallArguments) -> None:
    taken: set[Path] = set()
    for option in ("record", "pcap", "trace"):
        file: Path | None = getattr(arguments, option)
        if file is None:
            continue
        if file.resolve() in taken:
            raise typer.BadParameter(
                f"{file} is already that of another option; it takes a file of its own",
                param_hint=f"'--{option}'",
            )
        taken.add(file.resolve())


def _packets_path(arguments: CallArguments) -> Path | None:
    """Check that trace and capture can be written before anybody's telephone rings."""
    if arguments.trace is not None:
        _part_beside(arguments.trace, "--trace").unlink()
    return None if arguments.pcap is None else _part_beside(arguments.pcap, "--pcap")


def _prompt(path: Path | None) -> npt.NDArray[np.int16] | None:
    if path is None:
        return None
    try:
        return load_prompt(path)
    except SoundFileError as error:
        raise typer.BadParameter(f"{error}; it takes a sound file", param_hint="'--say'") from error


def _capture_path(record: Path | None, *, listens: bool) -> Path | None:
    """Check that the recording can be written before anybody's telephone rings.

    Without a recording the sound is kept only until its words are recognised.
    """
    if record is None:
        if not listens:
            return None
        handle, name = tempfile.mkstemp(prefix="dutyring-call-", suffix=".part")
        os.close(handle)
        return Path(name)
    if record.suffix.lower() not in RECORDING_SUFFIXES:
        raise typer.BadParameter(f"{record}: it takes a .flac or .wav file", param_hint="'--record'")
    return _part_beside(record, "--record")


def _part_beside(file: Path, option: str) -> Path:
    """Make an empty file in the folder of `file`; raises `typer.BadParameter` where that cannot be."""
    hint = f"'{option}'"
    if file.is_dir():
        raise typer.BadParameter(f"{file} is a folder; it takes a file", param_hint=hint)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{file.stem}-", suffix=".part", dir=file.parent)
    except OSError as error:
        reason = f"cannot write in {file.parent}: {error.strerror}; it takes a file in a folder that can be written"
        raise typer.BadParameter(reason, param_hint=hint) from error
    os.close(handle)
    return Path(name)


def _keep_recording(record: CallRecord, destination: Path | None, capture: Path | None) -> CallRecord:
    if destination is None or capture is None:
        if capture is not None:
            capture.unlink(missing_ok=True)
        return record
    if not any(entry.event == "sent" for entry in record.timeline):
        capture.unlink(missing_ok=True)
        return record
    try:
        info = recordings.encode(capture, destination, record.ended_ms)
    except (recordings.RecordingError, OSError) as error:
        # The raw capture stays where it is: what was heard is not lost with the file that could not be made.
        reason = f"recording {destination} could not be written ({error}); its raw capture is {capture}"
        return replace(record, errors=(*record.errors, reason), our_failure=True)
    capture.unlink(missing_ok=True)
    return replace(record, recording=info)


def _keep_trace(
    record: CallRecord, arguments: CallArguments, trace: CallTrace, packets: Path | None
) -> CallRecord:
    """Write the call's messages, secrets blanked, and its packets."""
    errors = []
    try:
        if arguments.trace is not None:
            arguments.trace.write_text(trace.to_text(), encoding="utf-8")
        if arguments.pcap is not None:
            trace.write_pcap(arguments.pcap, packets if packets and packets.stat().st_size else None)
    except OSError as error:
        errors.append(f"the trace could not be written ({error})")
    if packets is not None:
        packets.unlink(missing_ok=True)
    return replace(record, errors=(*record.errors, *errors), our_failure=record.our_failure or bool(errors))


class _Progress:
    """The call as it happens, on standard error; the result to read, on standard output."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(stderr=True)
        self._live = self._console.is_terminal and not quiet
        self._status = self._console.status("dialling") if self._live else None

    def __enter__(self) -> _Progress:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def update(self, entry: TimelineEntry) -> None:
        """Show one step of the call."""
        if self._status is None:
            return
        self._console.print(_line(entry.to_dict()), highlight=False, markup=False)
        self._status.update(_state(entry.to_dict()))

    def result(self, record: Mapping[str, Any]) -> None:
        """Print the finished call."""
        console = Console(file=sys.stdout, highlight=False)
        if not self._live:
            for entry in record["timeline"]:
                console.print(_line(entry), markup=False, soft_wrap=True)
        for name, value in summary(record):
            console.print(f"{name:<16} {value}", markup=False, soft_wrap=True)
        for error in record["errors"]:
            console.print(f"error            {error}", markup=False, soft_wrap=True)


def _line(entry: dict[str, Any]) -> str:
    what = entry["event"]
    told = [str(entry[k]) for k in ("method", "status", "reason", "what", "why", "source") if entry.get(k)]
    subject = " ".join(told)
    sdp = " with SDP" if entry.get("sdp") else ""
    line = f"{entry['t_ms'] / 1000:9.3f} s  {what:<12} {subject}{sdp}".rstrip()
    # What the far side wrote must not steer the terminal.
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)


def _state(entry: dict[str, Any]) -> str:
    status = entry.get("status")
    if status == 180 or entry["event"] == "ring_started":
        return "ringing"
    if status == 200 or entry["event"] == "answered":
        return "answered"
    return "in progress"
