"""`dutyring evidence-bundle`: making evidence bundles, and checking them without database or service."""

from __future__ import annotations

import json
import os
import secrets
import sys
from pathlib import Path

import typer

from app.settings import Settings
from recordings.bundle_check import check as faults_of

EXIT_NO = 1


def make(check_id: int, out: Path, attempt: int | None, by: str) -> int:
    """Write the bundle of an order, or of one call of it; return the exit status."""
    from app.commands.plans import carry_out, say
    from app.database import Database
    from app.errors import ConflictError
    from app.evidence.bundle import Bundle, prepare
    from recordings import RecordingError
    from recordings.bundle import BundleError

    if out.is_dir() or not out.absolute().parent.is_dir():
        raise typer.BadParameter("takes a file in a folder that is there", param_hint="'--out'")

    async def work(database: Database, settings: Settings) -> int:
        bundle: Bundle = await prepare(database, settings, by, check_id=check_id, attempt_id=attempt)
        try:
            size = _write(out, bundle)
        except (RecordingError, BundleError) as error:
            raise ConflictError(f"the bundle cannot be made: {error}") from error
        except OSError as error:
            raise typer.BadParameter(f"{out}: {error.strerror}", param_hint="'--out'") from error
        for item in bundle.about["missing"]:
            of = f" of call {item['attempt']}" if "attempt" in item else ""
            print(f"without the {item['what']}{of}: {item['why']}", file=sys.stderr)  # noqa: T201
        say(f"{out}: {bundle.sources.subject}, {len(bundle.parts)} files, {size} bytes")
        return 0

    def _write(target: Path, bundle: Bundle) -> int:
        # Whole or not at all, and for its owner alone: it holds sound.
        draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        size = 0
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                for piece in bundle.stream():
                    size += file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        return size

    return carry_out(work)


def check(file: Path, key: Path | None, *, as_json: bool) -> int:
    """Say what of a bundle does not hold; return the exit status, 1 where anything does not."""
    from recordings.errors import RecordingError
    from recordings.signing import load_public

    try:
        trusted = None if key is None else load_public(key)
    except RecordingError as error:
        raise typer.BadParameter(error.reason, param_hint="'--key'") from None
    try:
        faults = list(faults_of(file, trusted))
    except OSError as error:
        raise typer.BadParameter(f"cannot be read: {error.strerror}", param_hint="'FILE'") from None
    if as_json:
        told = {
            "schema": "dutyring.bundle-check/1",
            "holds": not faults,
            "faults": faults,
            "key_given": key is not None,
        }
        print(json.dumps(told, ensure_ascii=False))  # noqa: T201
    else:
        for fault in faults:
            print(fault)  # noqa: T201
        if not faults:
            against = "the key given" if key else "its own key: give --key to know whose it is"
            print(f"{file.name}: holds, checked against {against}")  # noqa: T201
    return EXIT_NO if faults else 0
