"""`dutyring draw verify`: whether every run did what it had committed to."""

from __future__ import annotations

import dataclasses
import json

from app.commands.plans import EXIT_NO, carry_out, say
from app.database import Database
from app.planning import service
from app.planning.verify import RunReport, gather, verify_run, verify_whole
from app.settings import Settings


def verify(plan_id: int | None, *, as_json: bool) -> int:
    """Check every run, or those of a plan; return the exit status, 1 where something does not hold."""

    async def work(database: Database, settings: Settings) -> int:
        async with database.reading() as session:
            if plan_id is not None:
                await service.get(session, plan_id)
            found = await gather(session, plan_id)
            reports = [await verify_run(session, item) for item in found]
            missing = await verify_whole(session, found, plan_id)
        holds = not missing and not any(report.faults for report in reports)
        if as_json:
            told = [dataclasses.asdict(report) for report in reports]
            content = {"schema": "dutyring.draw-verify/1", "holds": holds, "runs": told, "missing": missing}
            say(json.dumps(content, ensure_ascii=False))
        else:
            _print(reports, missing)
        return 0 if holds else EXIT_NO

    return carry_out(work)


def _print(reports: list[RunReport], missing: tuple[str, ...]) -> None:
    for line in missing:
        say(line)
    for report in reports:
        for fault in report.faults:
            say(f"{report.name}: {fault}")
    for report in reports:
        if report.faults:
            continue
        counts = f"{report.epochs} draws, {report.orders} orders, {report.passed_over} passed over"
        if report.sealed:
            say(
                f"{report.name}: its chain holds ({counts}); its seed is still sealed, its moments are not repeated"
            )
        else:
            say(f"{report.name}: holds, every moment repeated ({counts})")
    if not reports:
        say("no plan was ever started")
