"""A small directory whose lines were called once, through the real ledger and the tests' own phone."""

from __future__ import annotations

from dataclasses import replace

from app.checks import service
from app.checks.dispatcher import Dispatcher
from app.database import Database
from app.directory import service as directory
from app.settings import Settings
from sip.record import CallRecord, EarlyMedia, Rings, Segment
from tests.web.fake import FakePhone, answered, diverted, unanswered

NAMES = ("应急管理局", "水利局", "城关镇", "财政局", "教育局", "卫生健康局", "交通运输局", "林业局")


def records(targets: list[str]) -> dict[str, CallRecord | Exception]:
    """One behaviour for each target, in order."""
    makers = [
        lambda t: answered(t, 6_000.0),
        lambda t: answered(t, 13_200.0),
        lambda t: answered(t, 24_400.0),
        lambda t: unanswered(t, "no_answer", ended_ms=60_200.0, ended_by="us"),
        diverted,
        lambda t: unanswered(t, "busy", sip_status=486, sip_reason="Busy Here", ended_ms=350.0),
        lambda t: answered(
            t,
            9_500.0,
            rings=Rings(None, None, ()),
            early_media=EarlyMedia("crbt", (Segment("music", 210.0, 9_700.0, 0.96),)),
        ),
        lambda t: RuntimeError("no socket"),
    ]
    found = [make(target) for make, target in zip(makers, targets, strict=False)]
    bursts = range(0, 60_000, 5_000)
    for number, record in enumerate(found):
        if isinstance(record, CallRecord) and record.outcome == "no_answer":
            found[number] = replace(
                record, rings=Rings(len(bursts), "cadence", ()), early_media=EarlyMedia("none", ())
            )
    return dict(zip(targets, found, strict=True))


async def fill(database: Database, settings: Settings) -> FakePhone:
    """Enter eight units, call each once."""
    targets = [f"sip:{number}@127.0.0.1:5062" for number in range(1, len(NAMES) + 1)]
    phone = FakePhone(settings.recordings_dir, records=records(targets))
    async with database.unit_of_work() as session:
        for number, (name, target) in enumerate(zip(NAMES, targets, strict=True), 1):
            unit = await directory.add_unit(session, f"{number:03}", f"云溪县{name}")
            line = await directory.add_line(session, unit, f"0000-55501{number:02}", target)
            await service.order_now(session, line, "指定抽查")
    dispatcher = Dispatcher(database, phone, settings)
    await dispatcher.place_due()
    await dispatcher.idle()
    return phone
