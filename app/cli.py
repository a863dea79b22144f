"""The command line `dutyring`.

Each command imports what it needs when it runs, so that `dutyring call` starts quickly. Exit status: 0
done, 1 something does not hold, 2 a wrong argument (one line on standard error), 3 our own side failed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from app.commands.audit_group import audit
from app.commands.bench import bench
from app.commands.bundle_group import evidence_bundle
from app.commands.calendar_group import calendar
from app.commands.directory_group import directory
from app.commands.evidence_group import evidence
from app.commands.models_group import models
from app.commands.operation_group import backup, doctor, restore
from app.commands.phone_record_group import phone_records
from app.commands.plan_groups import check, draw, plans, prompts
from app.commands.recording_group import recordings
from app.commands.rule_group import rules
from app.commands.sample_group import samples
from app.commands.search_group import search
from app.commands.trunk_groups import numbers, trunks
from app.commands.user_group import user

app = typer.Typer(
    name="dutyring",
    help="Spot-check calls to duty lines (值班电话抽查): measured, recorded, judged.",
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
)
db = typer.Typer(help="The database: migrations up and down.", no_args_is_help=False)
app.add_typer(db, name="db")
app.add_typer(trunks, name="trunks")
app.add_typer(numbers, name="numbers")
app.add_typer(samples, name="samples")
app.add_typer(plans, name="plans")
app.add_typer(prompts, name="prompts")
app.add_typer(draw, name="draw")
app.command()(check)
app.command()(search)
app.command()(backup)
app.command()(restore)
app.command()(doctor)
app.add_typer(directory, name="directory")
app.add_typer(bench, name="bench")
app.add_typer(calendar, name="calendar")
app.add_typer(rules, name="rules")
app.add_typer(phone_records, name="phone-records")
app.add_typer(evidence, name="evidence")
app.add_typer(evidence_bundle, name="evidence-bundle")
app.add_typer(recordings, name="recordings")
app.add_typer(models, name="models")
app.add_typer(user, name="user")
app.add_typer(audit, name="audit")

EXIT_ARGUMENT = 2


def _tell_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"dutyring {version('dutyring')}")  # noqa: T201
        raise typer.Exit


@app.callback()
def dutyring(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_tell_version, help="say which version this is"),
    ] = False,
) -> None:
    """Spot-check calls to duty lines (值班电话抽查): measured, recorded, judged."""


@app.command()
def call(
    target: Annotated[str, typer.Argument(help="sip: or sips: URI to call, or a number for --trunk")],
    trunk: Annotated[str | None, typer.Option(metavar="NAME", help="a trunk of ours to call by")] = None,
    from_uri: Annotated[str | None, typer.Option("--from", metavar="URI", help="our identity")] = None,
    bind: Annotated[str | None, typer.Option(metavar="ADDRESS[:PORT]", help="local address")] = None,
    user: Annotated[str | None, typer.Option(metavar="U", help="digest user name")] = None,
    password_env: Annotated[
        str | None, typer.Option(metavar="VAR", help="environment variable with the digest password")
    ] = None,
    max_ring: Annotated[float, typer.Option(metavar="S", help="give up S seconds after ring start")] = 60.0,
    max_talk: Annotated[float, typer.Option(metavar="S", help="hang up S seconds after the answer")] = 20.0,
    say: Annotated[Path | None, typer.Option(metavar="FILE", help="prompt to play after the answer")] = None,
    send_digits: Annotated[
        str, typer.Option(metavar="DIGITS", help="digits after the answer, w waits 0.5 s: an extension")
    ] = "",
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="stereo recording, FLAC or WAV: left us, right them")
    ] = None,
    tones_only: Annotated[bool, typer.Option("--tones-only", help="no speech recognition")] = False,
    transport: Annotated[
        str | None, typer.Option(metavar="udp|tcp|tls", help="signalling transport [the URI's, else udp]")
    ] = None,
    tls_ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="authorities we trust for TLS [the system's]")
    ] = None,
    srtp: Annotated[
        str | None, typer.Option(metavar="off|optional|required", help="encryption of the sound [off]")
    ] = None,
    pcap: Annotated[
        Path | None, typer.Option(metavar="FILE", help="capture of signalling and sound for Wireshark")
    ] = None,
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE", help="the call's SIP messages as text")
    ] = None,
    same_unit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NUMBER", help="another number of the unit, such as its pilot number; repeatable"
        ),
    ] = None,
    history: Annotated[
        list[float] | None,
        typer.Option(metavar="MS", help="post-dial delay of an earlier call to this line; repeatable"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on standard output")] = False,
) -> None:
    """Place one call and report its facts."""
    from app.commands.call import run
    from app.commands.call_line import CallArguments

    arguments = CallArguments(
        target,
        from_uri,
        bind,
        user,
        password_env,
        max_ring,
        max_talk,
        say,
        record,
        tones_only,
        transport,
        as_json,
        trunk,
        send_digits,
        pcap,
        trace,
        tls_ca,
        srtp,
        same_unit=tuple(same_unit or ()),
        history_ms=tuple(history or ()),
    )
    raise typer.Exit(run(arguments))


@app.command()
def analyze(
    file: Annotated[Path, typer.Argument(help="WAV, FLAC, or raw A-law with --alaw")],
    channel: Annotated[str, typer.Option(metavar="left|right|mix", help="of a stereo file")] = "right",
    alaw: Annotated[bool, typer.Option("--alaw", help="raw 8 kHz A-law without a header")] = False,
    transcript: Annotated[Path | None, typer.Option(metavar="WORDS.json", help="what was said in it")] = None,
    transcribe: Annotated[
        bool, typer.Option("--transcribe", help="recognise what is said in it; not with --transcript")
    ] = False,
    plot: Annotated[Path | None, typer.Option(metavar="OUT.svg", help="draw what was heard")] = None,
    lang: Annotated[str, typer.Option(metavar="zh|en", help="words of the drawing")] = "zh",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on standard output")] = False,
) -> None:
    """Analyse the line in a sound file: rings, tones, music, speech."""
    from app.commands.analyze import AnalyseOptions, run

    options = AnalyseOptions(channel, alaw, transcript, plot, lang, transcribe)
    raise typer.Exit(run(file, options, as_json=as_json))


@app.command()
def transcribe(
    file: Annotated[Path, typer.Argument(help="WAV, FLAC or what else libsndfile reads")],
    channel: Annotated[str, typer.Option(metavar="left|right|mix", help="of a stereo file")] = "right",
    engine: Annotated[
        str | None, typer.Option(metavar="vosk|whisper", help="what recognises [that of the settings]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on standard output")] = False,
) -> None:
    """Recognise what is said in a sound file."""
    from app.commands.transcribe import run

    raise typer.Exit(run(file, channel, engine, as_json=as_json))


@app.command()
def simulate(
    listen: Annotated[str, typer.Option(metavar="ADDRESS:PORT", help="where to answer")] = "127.0.0.1:5062",
    scenario: Annotated[Path | None, typer.Option(metavar="FILE", help="further lines, as TOML")] = None,
    lines: Annotated[int, typer.Option(metavar="N", help="plain lines from extension 20000 on")] = 0,
    list_lines: Annotated[bool, typer.Option("--list", help="print the built-in lines and exit")] = False,
    password: Annotated[
        str | None,
        typer.Option("--password-env", metavar="VAR", help="variable with the digest line's password"),
    ] = None,
) -> None:
    """Answer calls as simulated duty lines."""
    from app.commands.simulate import run

    raise typer.Exit(run(listen, scenario, lines, list_lines, password))


@app.command()
def serve(
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="address of the pages [127.0.0.1]")
    ] = None,
    port: Annotated[int | None, typer.Option(metavar="PORT", help="port of the pages [8000]")] = None,
) -> None:
    """Run the service: pages, phone and clock."""
    from app.commands.serve import serve as run

    raise typer.Exit(run(host, port))


@app.command()
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="exit after the table; status 0 if all is as it should be")
    ] = False,
) -> None:
    """Call a fictional county and leave the pages up."""
    from app.commands.demo import demo as run

    raise typer.Exit(run(once))


@app.command(name="stop-calls")
def stop_calls(
    unit: Annotated[
        str | None, typer.Option(metavar="CODE", help="of the unit whose subtree is stopped [all units]")
    ] = None,
    reason: Annotated[str | None, typer.Option(metavar="WORDS", help="why; must be given")] = None,
    list_stops: Annotated[bool, typer.Option("--list", help="print the stops that hold")] = False,
    lift: Annotated[int | None, typer.Option(metavar="ID", help="lift this stop")] = None,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="who does it [the login name]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on standard output")] = False,
) -> None:
    """紧急停拨: let no more calls leave and end those under way, until the stop is lifted."""
    from app.commands import stop

    if list_stops:
        raise typer.Exit(stop.show(as_json=as_json))
    if lift is not None:
        raise typer.Exit(stop.lift(lift, reason, by, as_json=as_json))
    raise typer.Exit(stop.place(unit, reason, by, as_json=as_json))


@db.command()
def upgrade(revision: Annotated[str, typer.Argument(help="a revision")] = "head") -> None:
    """Bring the database up to a revision."""
    from app.commands.db import upgrade as run

    run(revision)


@db.command(context_settings={"ignore_unknown_options": True})
def downgrade(
    revision: Annotated[
        str, typer.Argument(help="a revision, -1 for one step back, or base for nothing left")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Take the database down to a revision; what its tables lose is lost."""
    from app.commands.db import downgrade as run

    raise typer.Exit(run(revision, yes))


@db.command()
def current() -> None:
    """Print the database's revision."""
    from app.commands.db import current as run

    run()


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; wrong arguments give one line on standard error and exit status 2."""
    command = typer.main.get_command(app)
    try:
        status = command.main(args=arguments, prog_name="dutyring", standalone_mode=False)
    except TyperException as error:
        print(f"dutyring: {_one_line(error)}", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_ARGUMENT)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except ValueError as error:
        reason = _wrong_setting(error)
        if reason is None:
            raise
        print(f"dutyring: {reason}", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_ARGUMENT)
    sys.exit(status if isinstance(status, int) else 0)


def _wrong_setting(error: ValueError) -> str | None:
    """Name a setting that cannot be used; None for any other error."""
    from app.settings import problem

    return problem(error)


def _one_line(error: TyperException) -> str:
    text = error.format_message() if hasattr(error, "format_message") else str(error)
    return " ".join(text.split())


if __name__ == "__main__":
    main()
