"""What stands beside the checks of a filled database: recordings, words, steps of cases, the trail, people, rosters."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Engine, Index, func, select

from app.bench.content import Row, UnitRow
from app.bench.spoken import GIVEN, SURNAMES, content, utterances
from app.database import Base
from app.transcripts.search_words import with_pairs

Write = Callable[[str, Sequence[str], Sequence[Row]], None]
"""Enters rows: the table, its columns, the rows."""
MOST_WORDS = 50_000
"""Calls with a transcript: the newest."""
HEARD_DAYS = 400
"""How long sound is kept; the rows of older recordings stay."""
ROSTER_DAYS = 30
BATCH = 5_000
COLUMNS = {
    "recordings": "id attempt_id unit_id path sha256 duration_ms channels sample_rate keep_until gone_at gone_why "
    "created_at",
    "transcriptions": "id recording_id state requested_at done_at engine content",
    "transcript_pieces": "transcription_id recording_id called_at unit_id channel start_ms end_ms text sought",
    "case_events": "case_id at who action from_state to_state content",
    "audit_events": "id at who action subject address done",
    "audit_links": "number event_id digest",
    "people": "id unit_id name title role staffing phone",
    "rosters": "id unit_id day kind version filed_at source",
    "shifts": "roster_id person_id name start_at end_at",
    "manual_checks": "unit_id source at made_by found entered_at entered_by",
}
INDEXED = ("recordings", "case_events", "audit_events")
"""Tables whose indices are made anew when all rows are there."""


@dataclass(frozen=True, slots=True)
class Beside:
    """All of it, up to a moment."""

    engine: Engine
    tree: Sequence[UnitRow]
    newest: datetime

    @property
    def is_there(self) -> bool:
        """Whether it was entered before."""
        with self.engine.connect() as connection:
            return bool(connection.scalar(select(func.min(Base.metadata.tables["recordings"].c.id))))

    def indices(self) -> list[Index]:
        """Indices that only hinder while rows are entered."""
        return [index for name in INDEXED for index in Base.metadata.tables[name].indexes]

    def enter(self, write: Write) -> None:
        """Enter every row."""
        self._directory(write)
        with self.engine.connect() as connection:
            self._recordings(connection, write)
            self._cases(connection, write)
            self._trail(connection, write)

    def _directory(self, write: Write) -> None:
        chance = random.Random(8)
        people: list[Row] = []
        rosters: list[Row] = []
        shifts: list[Row] = []
        noon = self.newest.replace(hour=4, minute=0, second=0, microsecond=0)
        for unit in self.tree:
            for number in range(4):
                key = unit.key * 4 + number
                name = chance.choice(SURNAMES) + "".join(chance.sample(GIVEN, 2))
                role = "leader" if number == 0 else "duty_officer"
                people.append((key, unit.key, name, "值班员", role, "unknown", f"0000{key:07}"))
            for day in range(-ROSTER_DAYS, 7):
                key = len(rosters) + 1
                at = noon + timedelta(days=day)
                rosters.append((key, unit.key, at.date(), "duty", 1, at - timedelta(days=9), "import"))
                person = people[-1 - day % 4]
                shifts.append((key, person[0], person[2], at, at + timedelta(hours=24)))
        made = [
            (
                unit.key,
                "on_site",
                self.newest - timedelta(days=7 * n),
                "李督查",
                "在岗",
                self.newest,
                "李督查",
            )
            for unit in self.tree
            for n in range(4)
        ]
        for name, rows in (
            ("people", people),
            ("rosters", rosters),
            ("shifts", shifts),
            ("manual_checks", made),
        ):
            write(name, COLUMNS[name].split(), rows)

    def _recordings(self, connection: Connection, write: Write) -> None:
        attempts = Base.metadata.tables["attempts"].c
        query = select(attempts.id, attempts.claimed_at, attempts.unit_id).order_by(attempts.id)
        count = connection.scalar(select(func.count()).select_from(attempts.id.table)) or 0
        silent_before = self.newest - timedelta(days=HEARD_DAYS)
        chance = random.Random(6)
        for batch in _batches(connection, query):
            recordings: list[Row] = []
            spoken: list[tuple[int, datetime, int]] = []
            for key, at, unit_id in batch:
                gone = at + timedelta(days=HEARD_DAYS) if at < silent_before else None
                recordings.append(
                    (key, key, unit_id, f"objects/{key}", f"{key:064x}", 30_000.0, 2, 8000,
                     at + timedelta(days=HEARD_DAYS), gone, "expired" if gone else None, at)
                )  # fmt: skip
                if key > count - MOST_WORDS:
                    spoken.append((key, at, unit_id))
            write("recordings", COLUMNS["recordings"].split(), recordings)
            self._words(chance, spoken, write)

    def _words(self, chance: random.Random, calls: Sequence[tuple[int, datetime, int]], write: Write) -> None:
        pairs = self.engine.dialect.name == "postgresql"
        transcriptions: list[Row] = []
        pieces: list[Row] = []
        for key, at, unit_id in calls:
            channels, said = content(list(utterances(chance, key)))
            told = json.dumps(channels, ensure_ascii=False)
            transcriptions.append((key, key, "done", at, at, "bench", told))
            for one in said:
                sought = with_pairs(one["sought"]) if pairs else one["sought"]
                place = (one["channel"], one["start_ms"], one["end_ms"])
                pieces.append((key, key, at, unit_id, *place, one["text"], sought))
        if calls:
            write("transcriptions", COLUMNS["transcriptions"].split(), transcriptions)
            write("transcript_pieces", COLUMNS["transcript_pieces"].split(), pieces)

    def _cases(self, connection: Connection, write: Write) -> None:
        cases = Base.metadata.tables["cases"].c
        query = select(cases.id, cases.opened_at, cases.state).order_by(cases.id)
        for batch in _batches(connection, query):
            rows: list[Row] = []
            for key, at, state in batch:
                rows.append((key, at, "system", "open", "", "to_review", "{}"))
                if state != "to_review":
                    action = "revoke" if state == "revoked" else "confirm"
                    rows.append(
                        (
                            key,
                            at + timedelta(hours=3),
                            "王督查",
                            action,
                            "to_review",
                            state,
                            '{"reason": "听过"}',
                        )
                    )
            write("case_events", COLUMNS["case_events"].split(), rows)

    def _trail(self, connection: Connection, write: Write) -> None:
        """A line for every second recording that was heard or searched for."""
        recordings = Base.metadata.tables["recordings"].c
        query = (
            select(recordings.id, recordings.created_at).where(recordings.id % 2 == 0).order_by(recordings.id)
        )
        number = 0
        for batch in _batches(connection, query):
            events: list[Row] = []
            links: list[Row] = []
            for key, at in batch:
                number += 1
                action = ("recording.play", "session.begin", "recording.search")[number % 3]
                who = ("王督查", "李督查", "赵督查")[number % 7 % 3]
                at = at if at.tzinfo else at.replace(tzinfo=UTC)
                events.append((number, at, who, action, f"recording:{key}", "192.0.2.7", True))
                links.append((number, number, f"{number:064x}"))
            write("audit_events", COLUMNS["audit_events"].split(), events)
            write("audit_links", COLUMNS["audit_links"].split(), links)


def _batches(connection: Connection, query: Any) -> Iterator[Sequence[Any]]:
    rows = iter(connection.execution_options(yield_per=BATCH).execute(query))
    while batch := list(islice(rows, BATCH)):
        yield batch
