"""The command line without the time that an interpreter takes to load it.

Hundreds of scenarios place a call each. Every one runs in a process of its own, forked from a server that has loaded
the modules and nothing else; from there on it is `app.cli.main`, as in the installed command, which
`test_command_errors` and the tests of foreign phones start as a user does.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["app.cli", "app.commands.call"])


def run(
    arguments: Sequence[str], cwd: Path, timeout_s: float, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run `dutyring` with the arguments; one that takes longer is killed and has exit status -1."""
    out, error = cwd / "standard-output", cwd / "standard-error"
    process = _SERVER.Process(
        target=_main, args=(tuple(arguments), str(cwd), {**os.environ, **environment}, str(out), str(error))
    )
    process.start()
    process.join(timeout_s)
    late = process.is_alive()
    if late:
        process.kill()
        process.join()
    status, texts = process.exitcode, [_text(path) for path in (out, error)]
    process.close()
    if late:
        return subprocess.CompletedProcess(
            arguments, -1, "", f"killed after {timeout_s} s\n" + "\n".join(texts)
        )
    return subprocess.CompletedProcess(arguments, -1 if status is None else status, texts[0], texts[1])


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _main(arguments: Sequence[str], cwd: str, environment: Mapping[str, str], out: str, error: str) -> None:
    """What the forked process does: take over folder, environment and streams, then be the command."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in ((1, out), (2, error)):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(handle, number)
        os.close(handle)
    sys.argv = ["dutyring", *arguments]
    from app.cli import main

    try:
        main(list(arguments))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
