"""Sends many odd requests to every operation of the API: `python -m benchmarks.api_fuzz --examples 200`.

Needs the development requirements. The service runs on a filled SQLite database, or on the empty PostgreSQL one given.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from app.database import upgrade
from app.logs import configure
from app.settings import Settings
from tests.web.api_fuzz import faults, service


def main() -> int:
    """Send them; print what was wrong and return 1 if anything was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100, help="requests for each operation")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="to repeat a run")
    parser.add_argument("--database", metavar="URL", help="an empty PostgreSQL database [a SQLite file]")
    given = parser.parse_args()
    configure(Settings(log_level="error"))
    with tempfile.TemporaryDirectory(prefix="dutyring-fuzz-") as folder:
        settings = Settings(
            data_dir=Path(folder) / "data",
            database_url=given.database,
            phone_process=False,
            allowed_hosts=("testserver",),
        )
        upgrade(settings)
        with service(settings) as opened:
            found = faults([opened], given.examples, given.seed)
    for fault in found:
        print(f"{fault.operation}: {fault.what}\n")
    print(
        f"{len(found)} operations with faults, seed {given.seed}, {given.examples} requests for each operation"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
