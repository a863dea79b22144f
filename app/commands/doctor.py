"""`dutyring doctor`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from app.database import Database
from app.operations.doctor import examine
from app.operations.findings import Finding
from app.operations.version import version
from app.settings import Settings, get_settings

EXIT_NO = 1


def run(*, offline: bool, as_json: bool) -> int:
    """Print a line for each thing that was looked at; return 1 where one fails."""
    settings = get_settings()
    found = asyncio.run(_look(settings, offline))
    failed = any(one.state == "fail" for one in found)
    if as_json:
        content = {
            "schema": "dutyring.doctor/1",
            "version": version(),
            "state": "fail" if failed else "warn" if any(one.state == "warn" for one in found) else "ok",
            "findings": [one.to_dict() for one in found],
        }
        print(json.dumps(content, ensure_ascii=False))  # noqa: T201
    else:
        for one in found:
            print(f"{one.state:<5} {one.name}: {one.en}")  # noqa: T201
            if one.do_en:
                print(f"      -> {one.do_en}")  # noqa: T201
    return EXIT_NO if failed else 0


async def _look(settings: Settings, offline: bool) -> Sequence[Finding]:
    async with Database(settings.url) as database:
        return await examine(settings, database, offline=offline)
