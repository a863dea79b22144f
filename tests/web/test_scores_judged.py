"""From calls judged by rules in force, over the review, to a score with the office's own points."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from app.settings import Settings
from tests.web.orders import DOCUMENT, HOLIDAY, activate, add_line, closed, missed, picked_up
from tests.web.reviewing import LI, Office, running

SPAN = {"first": "2026-10-01", "last": "2026-10-31"}


async def test_what_was_judged_counts_once_it_is_confirmed(either_settings: Settings) -> None:
    async with running(either_settings, units=0) as office:
        await _judge(office)
        (item,) = (await office.get("/scores", params=SPAN))["items"]
        # Of six closed orders two are random checks spoilt by us or not random at all.
        assert (item["n"], item["left_out"], item["found"], item["points"]) == (4, 1, 0, 100.0)
        cases = (await office.get("/review-queue"))["items"]
        assert [case["code"] for case in cases] == ["no_answer", "slow_review"]
        told: dict[str, Any] = {"without_recording": "演练数据，无录音"}
        missed_case, slow = (case["id"] for case in cases)
        shown = await office.confirmed(missed_case, code="no_answer", **told)
        clauses = shown["events"][1]["content"]["clauses"]
        assert [(clause["article"], clause["binding"]) for clause in clauses] == [("第十条", "applies")]
        # 15-20 s: the machine only asks; a person makes it 超时接听, by the clause that the proposal found.
        await office.confirmed(slow, code="overtime", reason="两人听辨，四声后接听", **told)
        notice = await office.get(f"/cases/{slow}/notice")
        assert notice["document"] == DOCUMENT
        assert notice["limits"]["basis"] == "折算口径"
        assert "响铃3声之内接听" in notice["clauses"][0]["words"]
        (item,) = (await office.get("/scores", params=SPAN))["items"]
        assert (item["found"], item["rate"], item["deducted"], item["points"]) == (2, 0.5, 2.5, 97.5)
        await office.post(f"/cases/{slow}/revoke", LI, cause="not_a_finding", reason="回铃音与振铃不同步")
        (item,) = (await office.get("/scores", params=SPAN))["items"]
        assert (item["n"], item["found"], item["points"]) == (4, 1, 98.0)
        ranking = await office.get("/scores/ranking", params=SPAN)
        assert ranking["period"]["points_document"] == DOCUMENT


async def _judge(office: Office) -> None:
    """Six orders of one county office: in time twice, missed, slow, spoilt by us, and one that was not drawn."""
    calls: list[tuple[list[Any], str]] = [
        ([picked_up()], "random"), ([picked_up(9_000.0)], "random"), ([missed(), missed()], "random"),
        ([picked_up(17_000.0)], "random"), (["no socket"], "random"), ([picked_up()], "designated"),
    ]  # fmt: skip
    async with office.database.unit_of_work() as session:
        await activate(session, "baoji-2022", points={"no_answer": 2.0, "overtime": 0.5})
        _, line = await add_line(session, 1, "county")
        for number, (records, kind) in enumerate(calls):
            at = HOLIDAY + timedelta(days=number)
            await closed(session, line, records, office.settings, at, kind)
