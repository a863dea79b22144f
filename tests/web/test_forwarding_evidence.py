"""Evidence of forwarding from the stored facts to the page, with and without an exemption."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import get_args

import httpx
import pytest

from app.checks import service, wording
from app.checks.dispatcher import Dispatcher
from app.database import Database
from app.directory import service as directory
from app.settings import Settings
from sip.record import Evidence, EvidenceKind, Forwarding
from tests.web.apps import make_app
from tests.web.fake import FakePhone, answered
from tests.web.test_pages_words import plain

GRADES = {"sip_181": "definitive", "asserted_identity": "strong", "late_ringing": "medium", "crbt": "weak"}
WORDS = {"definitive": "确证", "strong": "较强", "medium": "线索", "weak": "线索"}
EVIDENCE = tuple(
    Evidence(kind, GRADES.get(kind, "medium"), 100.0 + 1000.0 * number, f"seen {kind}")  # type: ignore[arg-type]
    for number, kind in enumerate(get_args(EvidenceKind))
)


@pytest.fixture
async def client(settings: Settings, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    app = make_app(settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as opened:
        yield opened
    await app.state.database.close()


@pytest.mark.parametrize(
    ("first", "last", "code"),
    [
        (0, None, "within"),
        (0, 0, "within"),
        (-9, -1, "forwarded"),
        (1, None, "forwarded"),
        (None, None, "forwarded"),
    ],
)
async def test_all_evidence_is_listed_and_an_exemption_of_the_day_takes_the_finding_away(
    client: httpx.AsyncClient,
    database: Database,
    settings: Settings,
    first: int | None,
    last: int | None,
    code: str,
) -> None:
    """`first` and `last` are the days of the exemption, counted from today; None: there is none."""
    target, today = "sip:1@127.0.0.1", datetime.now(settings.zone).date()
    async with database.unit_of_work() as session:
        unit = await directory.add_unit(session, "001", "云溪县水利局")
        line = await directory.add_line(session, unit, "0000-5550101", target)
        if first is not None:
            end = None if last is None else today + timedelta(days=last)
            begin = today + timedelta(days=first)
            await directory.exempt(session, line, "forwarding", begin, "夜间准予转移", last_day=end)
        check_id = (await service.order_now(session, line, "指定抽查")).id
    forwarding = Forwarding(True, "definitive", "13900000000", "mobile", "always", EVIDENCE)
    phone = FakePhone(settings.recordings_dir, records={target: answered(target, forwarding=forwarding)})
    dispatcher = Dispatcher(database, phone, settings)
    await dispatcher.place_due()
    await dispatcher.idle()
    page = (await client.get(f"/checks/{check_id}")).text
    rows = [plain(row) for row in re.findall(r'<tr class="sub">(.*?)</tr>', page, re.S)]
    for item in EVIDENCE:
        (row,) = [row for row in rows if wording.forwarding_sign(item.kind, None) in row]
        assert WORDS[item.grade] in row
        assert f"{item.t_ms / 1000:.1f} 秒" in row
    stored = (await client.get(f"/api/v1/checks/{check_id}")).json()["attempts"][0]
    assert stored["verdict"]["code"] == code
    assert ("已适用豁免：夜间准予转移" in plain(page)) == (code == "within")
    assert len(stored["facts"]["forwarding"]["evidence"]) == len(EVIDENCE)
