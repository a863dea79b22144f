"""How long any list and filter takes among a million orders, against its limit: `python -m benchmarks.lists`.

The same as `dutyring bench lists`, with the number of rows that the limit is promised for.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from app.bench.lists import LIMIT_MS, measure, own_folder, quiet
from benchmarks.table import show_parts

ROWS = 1_000_000


def main() -> int:
    """Measure; return 1 where a list is over the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--database", metavar="URL", help="an empty PostgreSQL database [a SQLite file]")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    quiet()
    with own_folder() as folder:
        figures = asyncio.run(measure(given.rows, given.database, folder))
    show_parts(figures, as_json=given.json)
    return 1 if figures["slowest_ms"] > LIMIT_MS else 0


if __name__ == "__main__":
    sys.exit(main())
