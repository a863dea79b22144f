"""Words of calls and whole numbers reach nobody who may not have them: every way that reads x every role.

What was said stands in the facts of the call, in what a machine or person proposed of it, in the notice to the unit.
Each is marked here, and no answer to a role that may not listen holds the mark, whichever door it came through.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from app.accounts import doors
from app.accounts import service as audit
from app.accounts.permissions import CARRIED, Permission, Role
from app.checks.models import CallFacts, Mitigation, StoredProposal, StoredVerdict
from app.database import Database
from app.reviews.models import Case, CaseEvent
from app.settings import Settings
from app.transcripts.models import CallReading, Transcription
from tests.web.apps import own_doors
from tests.web.people import SignedIn, signed_in
from tests.web.searching import transcript
from tests.web.test_authorisation import QUERIES, Way, ways_of
from tests.web.twin import AT, Twin, copied

WORDS = "喂这里是密语科"
"""What was said in the call."""
MOBILE = "13912345678"
"""Where the line is forwarded to."""
CALLED_FROM = "13887654321"
"""Whence somebody called back."""
SECRETS = {WORDS: Permission.LISTEN, MOBILE: Permission.NUMBERS, CALLED_FROM: Permission.NUMBERS}
QUOTED = f"接听人答“{WORDS}”，转往 {MOBILE}"


def _marked(content: dict[str, Any]) -> dict[str, Any]:
    sign = {"grade": "strong", "t_ms": 500.0, "detail": f"says {WORDS}"}
    return content | {
        "transcript": {"them": transcript(WORDS)},
        "answerer": [{"who": "person", **sign}],
        "forwarding": {
            "detected": True, "grade": "near_proof", "target": MOBILE, "target_class": "mobile", "condition": "always",
            "evidence": [
                {"kind": "transfer_announcement", **sign},
                {"kind": "diversion", "grade": "near_proof", "t_ms": 400.0, "detail": f"Diversion: <tel:{MOBILE}>"},
            ],
        },
    }  # fmt: skip


async def mark(database: Database, twin: Twin) -> None:
    """Let one call be one in which something was said, and whose line is forwarded."""
    key, check = twin.here["attempt_id"], twin.here["check_id"]
    async with database.unit_of_work() as session:
        facts = (await session.scalars(select(CallFacts).where(CallFacts.attempt_id == key))).one()
        facts.content = _marked(dict(facts.content))
        said = (
            await session.scalars(
                select(Transcription).where(Transcription.recording_id == twin.here["recording_id"])
            )
        ).one()
        said.content = {"us": transcript(), "them": transcript(WORDS)}
        session.add(
            CallReading(attempt_id=key, transcription_id=said.id, made_at=AT, content=dict(facts.content))
        )
        verdict = (await session.scalars(select(StoredVerdict).where(StoredVerdict.attempt_id == key))).one()
        verdict.content = verdict.content | {
            "findings": [finding | {"detail": QUOTED} for finding in verdict.content["findings"]]
        }
        stored = (await session.scalars(select(StoredProposal).where(StoredProposal.check_id == check))).one()
        stored.content = stored.content | {"reasons": [QUOTED], "attempts": [{"id": key, "detail": QUOTED}]}
        case = (await session.scalars(select(Case).where(Case.check_id == check))).one()
        case.proposal = case.proposal | {"reasons": [QUOTED], "attempts": [{"id": key, "detail": QUOTED}]}
        session.add(
            CaseEvent(
                case_id=case.id, at=AT, who="王", action="notify", from_state="proposed", to_state="notified",
                content={"notice": notice(case.id, check)},
            )
        )  # fmt: skip
        called = (await session.scalars(select(Mitigation).where(Mitigation.check_id == check))).one()
        called.number = CALLED_FROM


def notice(case_id: int, check_id: int) -> dict[str, Any]:
    """What a notice says of such a call."""
    call = {
        "number": 1, "dialled_at": AT.isoformat(), "outcome_zh": "接听", "ring_to_answer_s": 24.0, "rings": 5,
        "heard": [QUOTED], "clip": None,
    }  # fmt: skip
    return {
        "number": "核实〔2026〕1号", "case": case_id, "order": check_id, "issued_at": AT.isoformat(), "issued_by": "王",
        "confirmed_by": "王", "kind": {"code": "random", "title_zh": "计划抽查"}, "unit": {"name": "水利局"},
        "line": None, "calls": [call], "by_hand": None, "finding": {"title_zh": "超时"}, "clauses": [],
        "limits": None, "mitigations": [], "reasons": [QUOTED],
        "answer": {"until": AT.isoformat(), "working_days": 2, "to": "室", "may_say": []},
    }  # fmt: skip


@pytest.fixture
async def office(
    settings: Settings,
) -> AsyncIterator[tuple[httpx.AsyncClient, list[Way], Twin, dict[Role, SignedIn]]]:
    twin = copied(settings)
    app = own_doors(settings)
    database: Database = app.state.database
    await mark(database, twin)
    people = {role: await signed_in(database, settings, role) for role in Role}
    ways = [way for way in ways_of(app) if way.method == "GET"]
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield client, ways, twin, people
    await database.close()


async def test_words_and_numbers_are_for_those_who_may_have_them(
    office: tuple[httpx.AsyncClient, list[Way], Twin, dict[Role, SignedIn]],
) -> None:
    client, ways, twin, people = office
    wrong, known = [], doors.ways()
    for role, who in people.items():
        for way in ways if role is not Role.SUPERVISOR else ():
            if role not in CARRIED[known[way.name]]:
                continue
            answer = await client.get(
                way.address(twin.here), params=QUERIES.get(way.name), headers=dict(who.headers)
            )
            hidden = [secret for secret, needed in SECRETS.items() if role not in CARRIED[needed]]
            wrong += [f"{role}: {way.name} tells {secret}" for secret in hidden if secret in answer.text]
            if answer.status_code >= 500:
                wrong.append(f"{role}: {way.name} answers {answer.status_code}")
    assert "\n".join(wrong) == ""
    for address in ("/checks/{check_id}", "/api/v1/orders/{order_id}"):
        page = await client.get(
            address.format(**twin.here.keys), headers=dict(people[Role.SUPERVISOR].headers)
        )
        assert [secret for secret in SECRETS if secret not in page.text] == []


async def test_each_person_who_listens_leaves_a_line(settings: Settings) -> None:
    twin = copied(settings)
    app = own_doors(settings)
    database: Database = app.state.database
    transport = httpx.ASGITransport(app)
    address = f"/recordings/{twin.here['recording_id']}?view=abcdefghijkl"
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        for name in ("甲", "乙", "甲"):
            who = await signed_in(database, settings, Role.SUPERVISOR, name=name)
            assert (await client.get(address, headers=dict(who.headers))).status_code == 200
    async with database.reading() as session:
        lines = await audit.of_subject(session, f"recording:{twin.here['recording_id']}")
    # The ranges of one page view are one listening, but of nobody else.
    assert [line.who for line in lines if line.action == "play"] == ["甲", "乙"]
    await database.close()
