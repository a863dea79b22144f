"""A database from before the tree: its units and lines keep what they had, up and down."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import create_engine, text

from app.database import _blocking_url, downgrade, upgrade
from app.settings import Settings

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def test_an_older_database_keeps_its_units_and_lines(empty_settings: Settings) -> None:
    upgrade(empty_settings, "0004")
    engine = create_engine(_blocking_url(empty_settings.url))
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO units (id, code, name, kind, created_at) VALUES (7, 'old', '旧局', '', :now)"),
            {"now": NOW},
        )
        connection.execute(
            text(
                "INSERT INTO duty_lines (id, unit_id, name, number, target, active, pilot_numbers) "
                "VALUES (3, 7, '值班电话', '0917-3262000', '0917-3262000', :yes, '[]')"
            ),
            {"yes": True},
        )
    upgrade(empty_settings)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT path, category, revision FROM units")).all() == [
            ("7/", "other", 1)
        ]
        line = connection.execute(text("SELECT target, number_key, verification, kind FROM duty_lines")).one()
        assert tuple(line) == ("0917-3262000", "+869173262000", "verified", "duty")
        connection.execute(
            text(
                "INSERT INTO duty_lines (id, unit_id, name, number, target, active, kind) VALUES "
                "(4, 7, '传真', '0917-3262000', '0917-3262000', :yes, 'fax'), (5, 7, '传真', '1', '1', :yes, 'fax')"
            ),
            {"yes": True},
        )
    downgrade(empty_settings, "0004")
    with engine.connect() as connection:
        assert [row[0] for row in connection.execute(text("SELECT id FROM duty_lines ORDER BY id"))] == [3, 5]
        assert connection.execute(text("SELECT name FROM units")).scalar_one() == "旧局"
    engine.dispose()
