"""What the forms of the directory are asked with, for the matrix of ways, roles and scopes (test_authorisation.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.web.twin import Side

AHEAD = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
LATER = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
WHY = {"reason": "试"}
NAMED_OTHERWISE: Mapping[str, Mapping[str, str]] = {
    "/units/{unit_id}/line-exemptions/{exemption_id}": {"exemption_id": "line_exemption"},
    "/units/{unit_id}/exemptions/{exemption_id}": {"exemption_id": "unit_exemption"},
}
OF_ALL = {"kind": "duty"}
BODIES: Mapping[str, Callable[[Side], Any] | None] = {
    "POST /units/new": lambda side: {
        "code": "neu2",
        "name": "新",
        "category": "other",
        "parent_id": side["code"].partition("-")[0],
    },
    "POST /units/{unit_id}/change": lambda side: {"revision": "9", "name": side.says("改")},
    "POST /units/{unit_id}/move": lambda side: {"revision": "9", "parent_id": ""},
    "POST /units/{unit_id}/close": lambda side: {"revision": "9", "last_day": "2030-01-01"},
    "POST /units/{unit_id}/regimes/new": lambda side: {
        "first_day": "2028-01-01", "duty": "onsite", "leader": "onsite", "end_previous": "1",
    },
    "POST /units/{unit_id}/regimes/{regime_id}": lambda side: {"last_day": "2026-12-30"},
    "POST /units/{unit_id}/confirmations/new": lambda side: {"quarter": "2026Q2"},
    "POST /units/{unit_id}/lines/new": lambda side: {
        "number": f"0954-2{side['unit_id']}30002", "name": "夜间", "kind": "leader",
    },
    "POST /units/{unit_id}/lines/{line_id}/change": lambda side: {"revision": "9", "name": "改"},
    "POST /units/{unit_id}/lines/{line_id}/share": lambda side: {"revision": "9", "unit_ids": ""},
    "POST /units/{unit_id}/lines/{line_id}/exemptions/new": lambda side: {
        "kind": "crbt", "first_day": "2027-03-01", **WHY,
    },
    "POST /units/{unit_id}/line-exemptions/{exemption_id}": lambda side: {"last_day": "2026-12-30"},
    "POST /units/{unit_id}/people/new": lambda side: {"name": "新人", "role": "contact", "staffing": "unknown"},
    "POST /units/{unit_id}/people/{person_id}/change": lambda side: {"revision": "9", "name": "改名"},
    "POST /units/{unit_id}/number-changes/new": lambda side: {
        "number": "0954-2039998", "received_at": "2026-11-20T10:00",
    },
    "POST /units/{unit_id}/number-changes/{change_id}/enter": lambda side: {"line_id": str(side["line_id"])},
    "POST /units/{unit_id}/number-changes/{change_id}/dismiss": lambda side: WHY,
    "POST /units/{unit_id}/exemptions/new": lambda side: {"kind": "maintenance", "first_at": AHEAD, **WHY},
    "POST /units/{unit_id}/exemptions/{exemption_id}": lambda side: {"last_at": "2026-10-26T10:00"},
    "POST /units/{unit_id}/rosters/{day}/{kind}": lambda side: {
        "seen_version": "1", "name": "赵六", "start": "08:00", "end": "20:00",
    },
    "POST /units/{unit_id}/whereabouts/new": lambda side: {
        "name": "局长", "first_at": AHEAD, "last_at": LATER, "place": "外地",
    },
    "POST /units/{unit_id}/whereabouts/{row_id}/read": None,
    "POST /units/{unit_id}/whereabouts/{row_id}/forget": None,
    "POST /units/import": None,
    "POST /units/import/{key}/confirm": None,
    "POST /units/import/{key}/discard": None,
}  # fmt: skip
OF_THE_BODY = ("POST /units/new",)
EMPTY = (
    "GET /units/import", "GET /units/import/template.xlsx", "GET /units/import/{key}", "GET /units/directory.xlsx",
    "GET /units/new", "GET /units/suggestions", "GET /units/branch", "GET /units/exemptions",
    "GET /units/{unit_id}/children", "GET /units/number-changes",
)  # fmt: skip
"""Ways that say nothing of a unit here."""
