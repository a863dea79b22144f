"""Lists of cases, the review queue, and the files of cases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from sqlalchemy import select

from app.accounts.models import AuditEvent
from app.reviews import attachments
from app.settings import Settings
from tests.web.reviewing import LI, Office, as_person, running

PDF = b"%PDF-1.7 proof"


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Office]:
    async with running(settings, units=2) as opened:
        yield opened


@pytest.fixture
async def filled(either_settings: Settings) -> AsyncIterator[tuple[Office, list[int]]]:
    """A county, a town below it, a stranger; six cases on three days."""
    async with running(either_settings, units=2) as office:
        await office.add_units(1, parent=office.units[0])
        cases = []
        for number, code in enumerate(("no_answer", "crbt", "no_answer", "fax", "no_answer", "crbt")):
            cases.append(await office.case(number % 3, code, rings=(6_000.0,), at=office.at))
            office.at += timedelta(hours=12)
        yield office, cases


async def walk(office: Office, path: str, **params: Any) -> list[int]:
    """Go through every page, two rows at a time."""
    keys: list[int] = []
    after: str | None = None
    while True:
        answer = await office.get(path, params={"limit": 2, **params, **({"after": after} if after else {})})
        keys += [item["id"] for item in answer["items"]]
        after = answer["next"]
        if after is None:
            return keys


async def test_lists_go_page_by_page_and_narrow(filled: tuple[Office, list[int]]) -> None:
    office, cases = filled
    county, stranger, town = office.units
    await office.post(f"/cases/{cases[1]}/revoke", LI, cause="our_fault", reason="我方故障")
    newest = cases[::-1]
    assert await walk(office, "/cases") == newest
    assert await walk(office, "/review-queue") == [key for key in cases if key != cases[1]]
    expected: list[tuple[dict[str, Any], list[int]]] = [
        ({"unit": county}, [cases[5], cases[3], cases[2], cases[0]]),
        ({"unit": town}, [cases[5], cases[2]]),
        ({"unit": stranger, "state": "revoked"}, [cases[1]]),
        ({"unit": 999}, []),
        ({"code": "no_answer"}, [cases[4], cases[2], cases[0]]),
        ({"state": "revoked", "code": "crbt"}, [cases[1]]),
        ({"first": "2026-11-27", "last": "2026-11-27"}, [cases[3], cases[2]]),
        ({"kind": "manual"}, []),
        ({"kind": "random", "code": "fax"}, [cases[3]]),
        ({"order": 2}, [cases[1]]),
        ({"mitigated": True}, []),
    ]
    for params, wanted in expected:
        assert await walk(office, "/cases", **params) == wanted, params
    queue = await office.get("/review-queue", params={"unit": stranger})
    assert {state: number for state, number in queue["counts"].items() if number} == {
        "to_review": 1,
        "revoked": 1,
    }
    assert queue["items"][0]["age_s"] == pytest.approx(24 * 3600, abs=5)
    assert (await office.get("/review-queue", params={"unit": 999}))["items"] == []


@pytest.mark.parametrize(
    "params",
    [
        {"after": "nowhere"}, {"state": "gone"}, {"limit": 0}, {"unit": 2**63}, {"first": "0001-01-01"},
        {"first": "2026-02-02", "last": "2026-02-01"}, {"code": "\0"}, {"kind": "x"}, {"order": -1},
    ],
)  # fmt: skip
async def test_wrong_filters_are_named(office: Office, params: dict[str, Any]) -> None:
    answer = await office.client.get("/api/v1/cases", params=params)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["errors"]


@pytest.mark.parametrize("path", ["/cases/999", "/cases/999/notice", "/publications/999", "/attachments/999"])
async def test_what_is_not_there(office: Office, path: str) -> None:
    answer = await office.client.get(f"/api/v1{path}", headers=as_person(LI))
    assert answer.status_code == 404
    for step in ("propose", "notify", "accept", "dispute", "confirm", "uphold", "revoke", "overturn"):
        body = {
            "propose": {"code": "no_answer"}, "notify": {"answer_to": "x"}, "accept": {"by": "x"},
            "dispute": {"by": "x", "grounds": "x"}, "uphold": {"reason": "x"},
        }.get(step, {"cause": "our_fault", "reason": "x"} if step != "confirm" else {})  # fmt: skip
        await office.post(f"/cases/999/{step}", expect=404, **body)


async def upload(
    office: Office, case: int, content: Any, media_type: str = "application/pdf", name: str = "证明.pdf"
) -> Any:
    """Send a file as it is."""
    headers = as_person(LI) | {"Content-Type": media_type}
    return await office.client.post(
        f"/api/v1/cases/{case}/attachments", params={"name": name}, content=content, headers=headers
    )


async def test_a_file_comes_back_as_a_download_only_and_each_is_on_record(office: Office) -> None:
    case = await office.case()
    row = (await upload(office, case, PDF, name='../<b>证明"\u202e.pdf')).json()
    answer = await office.client.get(f"/api/v1/attachments/{row['id']}", headers=as_person(LI))
    assert (answer.status_code, answer.content) == (200, PDF)
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith(f"attachment; filename=\"attachment-{row['id']}\"; filename*=UTF-8''")
    assert unquote(disposition.split("''")[1]) == '../<b>证明"\u202e.pdf'
    assert "/" not in disposition.split("''")[1]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    async with office.database.reading() as session:
        lines = (
            await session.scalars(select(AuditEvent).where(AuditEvent.subject == f"attachment:{row['id']}"))
        ).all()
    assert [(line.action, line.who) for line in lines] == [("download", LI)]
    nobody = await office.client.get(f"/api/v1/attachments/{row['id']}", headers={"X-DutyRing-Actor": ""})
    assert nobody.status_code == 401
    shown = await office.get(f"/cases/{case}")
    assert [item["sha256"] for item in shown["attachments"]] == [row["sha256"]]
    assert (shown["events"][-1]["action"], shown["revision"], shown["state"]) == ("attach", 1, "to_review")


async def test_files_are_kept_once_and_for_their_owner_alone(office: Office) -> None:
    first, second = await office.case(), await office.case(1)
    for case in (first, second):
        assert (await upload(office, case, PDF)).status_code == 201
    folder = office.settings.data_dir / attachments.FOLDER
    kept = [path for path in folder.rglob("*") if path.is_file()]
    assert len(kept) == 1
    assert kept[0].stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0


async def test_what_no_attachment_may_be_leaves_nothing(office: Office) -> None:
    case = await office.case()

    async def endless() -> Any:
        for _ in range(21):
            yield b"%PDF-" + b"x" * 2**20

    for content, media_type in (
        (PDF, "text/html"), (b"<script>", "application/pdf"), (b"", "application/pdf"), (endless(), "application/pdf"),
        (PDF, "application/x-msdownload"), (b"MZ", "image/png"),
    ):  # fmt: skip
        answer = await upload(office, case, content, media_type)
        assert answer.status_code in (413, 415, 422), answer.text
    assert (await upload(office, 999, PDF)).status_code == 404
    await office.post(f"/cases/{case}/revoke", LI, cause="our_fault", reason="x")
    assert (await upload(office, case, PDF)).status_code == 409
    folder = office.settings.data_dir / attachments.FOLDER
    assert not [path for path in folder.rglob("*") if path.is_file()]
    assert (await office.get(f"/cases/{case}"))["attachments"] == []


async def test_a_dispute_names_files_of_its_case_only(office: Office) -> None:
    case, other = await office.case(), await office.case(1)
    await office.proposed(case)
    await office.post(f"/cases/{case}/notify", answer_to="值班科")
    mine = (await upload(office, case, PDF)).json()["id"]
    strange = (await upload(office, other, PDF)).json()["id"]
    await office.post(
        f"/cases/{case}/dispute", expect=422, by="主任", grounds="x", attachment_ids=[mine, strange]
    )
    shown = await office.post(f"/cases/{case}/dispute", by="主任", grounds="x", attachment_ids=[mine])
    assert shown["events"][-1]["content"]["attachments"] == [mine]


async def test_a_case_takes_so_many_files(office: Office, few: None) -> None:
    case = await office.case()
    answers = [(await upload(office, case, PDF)).status_code for _ in range(3)]
    assert answers == [201, 201, 409]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments, "MOST_FILES", 2)
