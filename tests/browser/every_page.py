"""Every page there is, by the table of doors: who may open it, and at which addresses a full office shows it.

A new way in stands here by itself: it is opened, or the test names what is missing: the rows that its parameters mean
(`ROWS`), or the reason for which it is no page (`LEFT_OUT`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html.parser import HTMLParser

from sqlalchemy import text

from app.accounts.doors import ways
from app.accounts.permissions import CARRIED, Role
from app.database import Database

FILE = "a file, not a page"
PART = "a part of a page, which is looked at within it"
LEFT_OUT: Mapping[str, str] = {
    "/": "leads to the page of one's work",
    "/live/stream": "an answer without an end, read by the page",
    "/live/calls/{attempt_id}/sound": FILE,
    "/recordings/{recording_id}": FILE,
    "/units/directory.xlsx": FILE,
    "/units/import/template.xlsx": FILE,
    "/reports/summary/{form}": FILE,
    "/reports/exports/{job_id}/file": FILE,
    "/help/panel": PART,
    "/units/branch": PART,
    "/units/found": PART,
    "/units/suggestions": PART,
    "/system/trunks/tests": PART,
    "/units/{unit_id}/children": PART,
    "/units/{unit_id}/people": PART,
    "/plans/year": PART,
    "/plans/{plan_id}/preview": PART,
    "/plans/{plan_id}/progress": PART,
    "/plans/{plan_id}/verify": PART,
    "/designated/recent": PART,
    "/checks/rows": PART,
    "/checks/{check_id}/body": PART,
    "/live/calls/{attempt_id}/panel": PART,
    "/stops/banner": PART,
    "/stops/panel": PART,
    "/stops/under-way": PART,
    "/reports/exports/{job_id}/row": PART,
}
ROWS: Mapping[str, str] = {
    "/units/{unit_id}": "SELECT id FROM units WHERE code IN ('YX', '001', '002', '003') ORDER BY id",
    "/units/{unit_id}/regimes/{regime_id}": "SELECT unit_id, id FROM unit_regimes LIMIT 1",
    "/units/{unit_id}/lines/{line_id}/change": "SELECT unit_id, id FROM duty_lines LIMIT 1",
    "/units/{unit_id}/lines/{line_id}/share": "SELECT unit_id, id FROM duty_lines LIMIT 1",
    "/units/{unit_id}/lines/{line_id}/exemptions/new": "SELECT unit_id, id FROM duty_lines LIMIT 1",
    "/units/{unit_id}/line-exemptions/{exemption_id}": (
        "SELECT duty_lines.unit_id, line_exemptions.id FROM line_exemptions JOIN duty_lines ON line_id = duty_lines.id"
    ),
    "/units/{unit_id}/exemptions/{exemption_id}": "SELECT unit_id, id FROM unit_exemptions",
    "/units/{unit_id}/people/{person_id}/change": "SELECT unit_id, id FROM people LIMIT 1",
    "/units/{unit_id}/number-changes/{change_id}/enter": "SELECT unit_id, id FROM number_changes",
    "/units/{unit_id}/number-changes/{change_id}/dismiss": "SELECT unit_id, id FROM number_changes",
    "/units/{unit_id}/rosters/{day}/{kind}": "SELECT unit_id, day, kind FROM rosters LIMIT 1",
    "/units/{unit_id}/whereabouts": "SELECT unit_id FROM whereabouts",
    "/units/{unit_id}/confirmations/new": "SELECT unit_id FROM confirmations",
    "/units/import/{key}": "SELECT substr(subject, 8) FROM audit_events WHERE action = 'upload'",
    "/calendar/{day}": "SELECT day FROM calendar_days WHERE kind = 'holiday' LIMIT 1",
    "/plans/{plan_id}": "SELECT id FROM plans ORDER BY id",
    "/plans/{plan_id}/edit": "SELECT id FROM plans WHERE state = 'draft'",
    "/checks/{check_id}": "SELECT id FROM spot_checks ORDER BY id",
    "/checks/{check_id}/cases/{case_id}/notice": (
        "SELECT check_id, case_id FROM case_events JOIN cases ON cases.id = case_id WHERE action = 'notify' LIMIT 1"
    ),
    "/live/calls/{attempt_id}": "SELECT id FROM attempts WHERE state IN ('ringing', 'connected') ORDER BY id",
    "/manual/{manual_id}": "SELECT id FROM manual_checks LIMIT 1",
    "/recordings/{recording_id}/keeping": "SELECT recording_id FROM recording_holds",
    "/phone-records/{record_id}": "SELECT id FROM phone_records ORDER BY id",
    "/phone-records/{record_id}/edit": "SELECT id FROM phone_records WHERE state = 'draft'",
    "/reports/publications/{publication_id}": "SELECT id FROM publications",
    "/system/rules/{name}": "SELECT 'baoji-2022'",
    "/system/accounts/{account_id}": "SELECT id FROM accounts ORDER BY id LIMIT 2",
}
"""The rows that the parameters of a path stand for, in their order; each row is one address."""
UNIT = "SELECT id FROM units WHERE code = '001'"
"""What stands for the unit where a path asks for a unit alone."""
ASKED: Mapping[str, Sequence[str]] = {
    "/recordings": ("?q=王强",),
    "/units": ("?q=水",),
    "/checks": ("?verdict=overtime",),
}
"""What lists are asked for beside all that they have."""
UNSIGNED = {"/sign-in": 200, "/enter/no-such-link": 410}
"""Pages before anybody has signed in, with their status."""
WRONG = {"/no-such-page": 404, "/checks?after=x": 400, "/system/audit": 403}
"""What is not answered, as a page, with its status."""


def page_ways() -> Mapping[str, frozenset[Role]]:
    """The path of every page, as its route has it, with the roles that may open it."""
    found = {}
    for way, permission in ways().items():
        method, _, path = way.partition(" ")
        if method == "GET" and not path.startswith("/api/") and path not in LEFT_OUT:
            found[path] = CARRIED[permission]
    return found


async def addresses(database: Database, path: str) -> Sequence[str]:
    """The addresses at which this office shows a page. Raises LookupError where it has no row for it."""
    if "{" not in path:
        return [path, *(path + asked for asked in ASKED.get(path, ()))]
    rows = ROWS.get(path) or (UNIT if path.count("{") == 1 and "{unit_id}" in path else None)
    if rows is None:
        raise LookupError(f"{path} has no line in ROWS")
    names = [part for part in path.split("/") if part.startswith("{")]
    async with database.reading() as session:
        found = (await session.execute(text(rows))).all()
    if not found:
        raise LookupError(f"the office has no row for {path}")
    made = []
    for row in found:
        address = path
        for name, value in zip(names, row, strict=True):
            address = address.replace(name, str(value))
        made.append(address)
    return made


class Parts(HTMLParser):
    """The kinds of elements that the main part of a page has: tag, class, type and what they stand in."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self._within: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take notice of a tag."""
        given = dict(attrs)
        kind = f"{tag}.{given.get('class')}.{given.get('type')}"
        if "main" in self._within:
            self.found.add(f"{self._within[-1]} > {kind}")
        self._within.append(tag if tag == "main" else kind)

    def handle_endtag(self, tag: str) -> None:
        """Leave an element, and what was not closed in it."""
        while self._within and self._within.pop().partition(".")[0] != tag:
            pass


def most(seen: Mapping[Role, set[str]]) -> Sequence[Role]:
    """The roles as which a page is to be looked at: a role that sees no part that another one does not is left out."""
    chosen: list[Role] = []
    for role in sorted(seen, key=lambda role: (-len(seen[role]), role)):
        if not any(seen[role] <= seen[other] for other in chosen):
            chosen.append(role)
    return chosen
