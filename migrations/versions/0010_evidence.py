"""Recordings as evidence: retention and holds, transcripts and their search, what answers tell, phone records.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
SEARCH_TRIGGERS = {
    "transcript_search_insert": "AFTER INSERT ON transcript_pieces BEGIN"
    " INSERT INTO transcript_search (rowid, sought) VALUES (new.id, new.sought); END",
    "transcript_search_delete": "AFTER DELETE ON transcript_pieces BEGIN"
    " INSERT INTO transcript_search (transcript_search, rowid, sought) VALUES ('delete', old.id, old.sought); END",
    "transcript_search_update": "AFTER UPDATE ON transcript_pieces BEGIN"
    " INSERT INTO transcript_search (transcript_search, rowid, sought) VALUES ('delete', old.id, old.sought);"
    " INSERT INTO transcript_search (rowid, sought) VALUES (new.id, new.sought); END",
}


def upgrade() -> None:
    _extend_recordings()
    _create_holds_and_removals()
    _create_transcripts()
    _create_search()
    _create_answers()
    _create_phone_records()


def downgrade() -> None:
    for table in ("phone_record_versions", "phone_records", "answer_items", "call_readings"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "sqlite":
        for trigger in SEARCH_TRIGGERS:
            op.execute(f"DROP TRIGGER {trigger}")
        op.execute("DROP TABLE transcript_search")
    for table in ("transcript_pieces", "transcriptions", "recording_removals", "recording_holds"):
        op.drop_table(table)
    op.execute("DELETE FROM recordings WHERE kind <> 'check'")
    with op.batch_alter_table("recordings") as batch_op:
        for index in ("ix_recordings_keep_until", "ix_recordings_created_at_id", "ix_recordings_sha256"):
            batch_op.drop_index(index)
        batch_op.drop_constraint("uq_recordings_id_kind", type_="unique")
        for name in ("kind", "origin", "gone"):
            batch_op.drop_constraint(op.f(f"ck_recordings_{name}"), type_="check")
        for column in ("kind", "gaps", "keep_until", "gone_at", "gone_why", "gone_by", "gone_reason"):
            batch_op.drop_column(column)
        batch_op.alter_column("attempt_id", existing_type=KEY, nullable=False)


def _extend_recordings() -> None:
    with op.batch_alter_table("recordings") as batch_op:
        batch_op.add_column(sa.Column("kind", sa.String(length=20), server_default="check", nullable=False))
        batch_op.add_column(sa.Column("gaps", sa.JSON(), server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("keep_until", TIME, nullable=True))
        batch_op.add_column(sa.Column("gone_at", TIME, nullable=True))
        batch_op.add_column(sa.Column("gone_why", sa.String(length=20), nullable=True))
        batch_op.add_column(sa.Column("gone_by", sa.String(length=80), nullable=True))
        batch_op.add_column(sa.Column("gone_reason", sa.Text(), nullable=True))
        batch_op.alter_column("attempt_id", existing_type=KEY, nullable=True)
    with op.batch_alter_table("recordings") as batch_op:
        batch_op.create_check_constraint(op.f("ck_recordings_kind"), "kind IN ('check', 'report')")
        batch_op.create_check_constraint(
            op.f("ck_recordings_origin"), "(kind = 'check') = (attempt_id IS NOT NULL)"
        )
        batch_op.create_check_constraint(
            op.f("ck_recordings_gone"), "gone_at IS NULL OR gone_why IS NOT NULL"
        )
        batch_op.create_unique_constraint("uq_recordings_id_kind", ["id", "kind"])
        batch_op.create_index("ix_recordings_keep_until", ["keep_until"])
        batch_op.create_index("ix_recordings_created_at_id", ["created_at", "id"])
        batch_op.create_index("ix_recordings_sha256", ["sha256"])


def _create_holds_and_removals() -> None:
    op.create_table(
        "recording_holds",
        sa.Column("id", KEY, nullable=False),
        sa.Column("recording_id", KEY, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("placed_at", TIME, nullable=False),
        sa.Column("placed_by", sa.String(length=80), nullable=False),
        sa.Column("lifted_at", TIME, nullable=True),
        sa.Column("lifted_by", sa.String(length=80), nullable=True),
        sa.Column("lift_reason", sa.Text(), nullable=True),
        _foreign("recording_holds", "recording_id", "recordings"),
        sa.PrimaryKeyConstraint("id", name="pk_recording_holds"),
    )
    op.create_index("ix_recording_holds_recording_id", "recording_holds", ["recording_id"])
    op.create_table(
        "recording_removals",
        sa.Column("id", KEY, nullable=False),
        sa.Column("recording_id", KEY, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("requested_by", sa.String(length=80), nullable=False),
        sa.Column("decided_at", TIME, nullable=True),
        sa.Column("decided_by", sa.String(length=80), nullable=True),
        sa.Column("decision_note", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('requested', 'approved', 'refused')", name=op.f("ck_recording_removals_state")
        ),
        _foreign("recording_removals", "recording_id", "recordings"),
        sa.PrimaryKeyConstraint("id", name="pk_recording_removals"),
    )
    op.create_index("ix_recording_removals_recording_id", "recording_removals", ["recording_id"])
    waiting = sa.text("state = 'requested'")
    op.create_index(
        "uq_recording_removals_requested",
        "recording_removals",
        ["recording_id"],
        unique=True,
        sqlite_where=waiting,
        postgresql_where=waiting,
    )


def _create_transcripts() -> None:
    op.create_table(
        "transcriptions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("recording_id", KEY, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("owner", sa.String(length=80), nullable=True),
        sa.Column("lease_until", TIME, nullable=True),
        sa.Column("done_at", TIME, nullable=True),
        sa.Column("engine", sa.String(length=120), nullable=True),
        sa.Column("took_s", sa.Double(), nullable=True),
        sa.Column("content", sa.JSON(), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'done', 'failed', 'withdrawn')",
            name=op.f("ck_transcriptions_state"),
        ),
        _foreign("transcriptions", "recording_id", "recordings"),
        sa.PrimaryKeyConstraint("id", name="pk_transcriptions"),
    )
    op.create_index("ix_transcriptions_recording_id_id", "transcriptions", ["recording_id", "id"])
    op.create_index("ix_transcriptions_state_id", "transcriptions", ["state", "id"])
    op.create_table(
        "call_readings",
        sa.Column("attempt_id", KEY, autoincrement=False, nullable=False),
        sa.Column("transcription_id", KEY, nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        _foreign("call_readings", "attempt_id", "attempts"),
        _foreign("call_readings", "transcription_id", "transcriptions"),
        sa.PrimaryKeyConstraint("attempt_id", name="pk_call_readings"),
    )
    op.create_index("ix_call_readings_transcription_id", "call_readings", ["transcription_id"])


def _create_search() -> None:
    op.create_table(
        "transcript_pieces",
        sa.Column("id", KEY, nullable=False),
        sa.Column("transcription_id", KEY, nullable=False),
        sa.Column("recording_id", KEY, nullable=False),
        sa.Column("called_at", TIME, nullable=False),
        sa.Column("unit_id", KEY, nullable=True),
        sa.Column("channel", sa.String(length=4), nullable=False),
        sa.Column("start_ms", sa.Double(), nullable=False),
        sa.Column("end_ms", sa.Double(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sought", sa.Text(), nullable=False),
        sa.CheckConstraint("channel IN ('us', 'them')", name=op.f("ck_transcript_pieces_channel")),
        _foreign("transcript_pieces", "transcription_id", "transcriptions", "CASCADE"),
        _foreign("transcript_pieces", "recording_id", "recordings"),
        _foreign("transcript_pieces", "unit_id", "units"),
        sa.PrimaryKeyConstraint("id", name="pk_transcript_pieces"),
    )
    op.create_index("ix_transcript_pieces_transcription_id", "transcript_pieces", ["transcription_id"])
    op.create_index("ix_transcript_pieces_recording_id", "transcript_pieces", ["recording_id"])
    op.create_index("ix_transcript_pieces_newest", "transcript_pieces", ["called_at", "recording_id"])
    op.create_index(
        "ix_transcript_pieces_of_unit", "transcript_pieces", ["unit_id", "called_at", "recording_id"]
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE transcript_search USING fts5("
            "sought, content='transcript_pieces', content_rowid='id', tokenize='ascii')"
        )
        for name, body in SEARCH_TRIGGERS.items():
            op.execute(f"CREATE TRIGGER {name} {body}")
    else:
        op.execute(
            "CREATE INDEX ix_transcript_pieces_sought ON transcript_pieces"
            " USING gin (to_tsvector('simple', sought))"
        )


def _create_answers() -> None:
    op.create_table(
        "answer_items",
        sa.Column("id", KEY, nullable=False),
        sa.Column("attempt_id", KEY, nullable=False),
        sa.Column("transcription_id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("heard", sa.Text(), nullable=False),
        sa.Column("heard_pinyin", sa.Text(), nullable=False),
        sa.Column("start_ms", sa.Double(), nullable=False),
        sa.Column("end_ms", sa.Double(), nullable=False),
        sa.Column("expected", sa.Text(), nullable=False),
        sa.Column("distance", sa.Double(), nullable=True),
        sa.Column("grade", sa.String(length=20), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("answer", sa.String(length=20), nullable=False),
        sa.Column("answered_at", TIME, nullable=True),
        sa.Column("answered_by", sa.String(length=80), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('unit', 'name', 'title', 'number')", name=op.f("ck_answer_items_kind")),
        sa.CheckConstraint("answer IN ('unverified', 'yes', 'no')", name=op.f("ck_answer_items_answer")),
        _foreign("answer_items", "attempt_id", "attempts"),
        _foreign("answer_items", "transcription_id", "transcriptions"),
        sa.PrimaryKeyConstraint("id", name="pk_answer_items"),
    )
    op.create_index("ix_answer_items_attempt_id", "answer_items", ["attempt_id", "id"])
    op.create_index("ix_answer_items_transcription_id", "answer_items", ["transcription_id"])


def _create_phone_records() -> None:
    op.create_table(
        "phone_records",
        sa.Column("id", KEY, nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("recording_id", KEY, nullable=True),
        sa.Column("recording_kind", sa.String(length=20), server_default="report", nullable=False),
        sa.Column("unit_id", KEY, nullable=True),
        sa.Column("called_at", TIME, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("corrects_id", KEY, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("signed_at", TIME, nullable=True),
        sa.Column("signed_by", sa.String(length=80), nullable=True),
        sa.Column("signed_sha256", sa.String(length=64), nullable=True),
        sa.CheckConstraint("state IN ('draft', 'signed')", name=op.f("ck_phone_records_state")),
        sa.CheckConstraint("source IN ('incoming', 'report')", name=op.f("ck_phone_records_source")),
        sa.CheckConstraint("recording_kind = 'report'", name=op.f("ck_phone_records_recording_kind")),
        sa.ForeignKeyConstraint(
            ["recording_id", "recording_kind"],
            ["recordings.id", "recordings.kind"],
            name="fk_phone_records_recording_id_recording_kind",
            ondelete="RESTRICT",
        ),
        _foreign("phone_records", "unit_id", "units"),
        _foreign("phone_records", "corrects_id", "phone_records"),
        sa.PrimaryKeyConstraint("id", name="pk_phone_records"),
        sa.UniqueConstraint("number", name="uq_phone_records_number"),
    )
    op.create_index("ix_phone_records_called_at_id", "phone_records", ["called_at", "id"])
    for column in ("recording_id", "unit_id"):
        op.create_index(f"ix_phone_records_{column}", "phone_records", [column])
    op.create_table(
        "phone_record_versions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("record_id", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("written_at", TIME, nullable=False),
        sa.Column("written_by", sa.String(length=80), nullable=False),
        _foreign("phone_record_versions", "record_id", "phone_records"),
        sa.PrimaryKeyConstraint("id", name="pk_phone_record_versions"),
        sa.UniqueConstraint("record_id", "version", name="uq_phone_record_versions_record_id_version"),
    )


def _foreign(table: str, column: str, other: str, ondelete: str = "RESTRICT") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=f"fk_{table}_{column}", ondelete=ondelete)
