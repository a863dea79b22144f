"""Which pages are asked for: every way in that answers with a page, by the table of doors, with its filters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import zip_longest

from app.accounts.doors import WHOLE_OFFICE, ways

FILES = (
    "/live/stream", "/live/calls/{attempt_id}/sound", "/recordings/{recording_id}", "/units/directory.xlsx",
    "/units/import/template.xlsx", "/reports/summary/{form}", "/reports/exports/{job_id}/file",
    "/plans/{plan_id}/verify",
)  # fmt: skip
"""What is a stream or a file, and the check of a whole draw, which a person starts and waits for."""
EDITED, PREVIEWED = "/plans/{plan_id}/edit", "/plans/{plan_id}/preview"
FILTERS: Mapping[str, Sequence[str]] = {
    "/checks": (
        "", "unit", "verdict", "review", "unit&verdict", "unit&review", "verdict&review", "since", "until", "kind",
        "plan", "code", "state", "by", "proof", "sign", "unit&state", "verdict&state", "code&proof", "plan&state",
        "by&since", "unit&sign", "kind&proof", "verdict&proof", "unit&since&until", "unit&code", "plan&unit",
        "sign&verdict", "by&verdict", "code&since&until",
    ),
    "/checks/rows": ("", "unit&verdict"),
    "/reports": ("", "period", "whole_year", "unit", "unit&period"),
    "/reports/ranking": ("", "unit", "period", "whole_year", "unit&period"),
    "/reports/forms": ("", "unit"),
    "/recordings": (
        "", "q", "unit", "verdict", "keeping", "held", "first", "last", "q&unit", "q&first", "q&last", "unit&verdict",
        "unit&keeping", "unit&first&last", "verdict&first", "keeping&first", "keeping&last",
    ),
    "/plans": ("", "status"),
    "/units": ("", "words", "category", "words&category"),
    "/units/found": ("", "words", "category"),
    "/units/branch": ("", "parent"),
    "/units/suggestions": ("typed",),
    "/units/lines": ("", "words", "line_kind", "verification", "warned"),
    "/units/rosters": ("", "wanting", "days", "days&wanting"),
    "/units/number-changes": ("", "outcome"),
    "/units/exemptions": ("", "all"),
    "/units/confirmations": ("", "show"),
    "/designated": ("", "unit"),
    "/manual": ("", "unit", "source", "first", "last", "unit&first"),
    "/manual/new": ("", "unit"),
    "/phone-records": ("",),
    "/samples": ("", "removed"),
    "/calendar": ("", "year"),
    "/system/audit": (
        "", "who", "action", "subject", "audit_since", "audit_until", "refused", "who&action", "who&audit_since",
        "action&audit_until", "subject&refused", "who&refused",
    ),
    "/system/accounts": ("", "wanted"),
    "/system/trunks/tests": ("trunk_name",),
}  # fmt: skip
"""With which filters a page is asked for, by names of `_values`; a page that is not here has none."""
PARAMETERS = {
    "words": "q", "line_kind": "kind", "typed": "unit", "audit_since": "since", "audit_until": "until",
    "whole_year": "period", "held": "keeping", "trunk_name": "name",
}  # fmt: skip
"""What a filter is called in the address, where it is called otherwise here."""
PAGES = frozenset(
    path for method, _, path in (way.partition(" ") for way in ways()) if method == "GET" and path[:5] != "/api/"
) - {*FILES, "/healthz", "/readyz", "/metrics"}  # fmt: skip


def open_to_part(page: str) -> bool:
    """Whether who answers for a part of the tree may open a page, and units there are such as `page_paths` names."""
    of_one_unit = ("/checks/{", "/manual/{", "/recordings/{")
    return ways()[f"GET {page}"] not in WHOLE_OFFICE and not page.startswith(of_one_unit)


def page_paths(tree: Sequence[int], rows: int, plans: Sequence[int]) -> Iterator[tuple[str, Sequence[str]]]:
    """Each page with the addresses at which it is asked for; what a filled database has none of is left out.

    `plans`: keys of plans that can be looked at beforehand; the first is a draft.
    """
    checks = sorted({1, rows // 3, rows // 2 + 1, max(1, rows - 25), max(1, rows - 1)})
    keys = {
        "unit_id": [str(unit) for unit in tree],
        "line_id": [str(unit) for unit in tree],
        "check_id": [str(check) for check in checks],
        "recording_id": [str(check) for check in checks],
        "plan_id": ["1", "30", "60", str(plans[0])],
        "manual_id": ["1", "40"],
        "day": ["2026-11-20"],
        "kind": ["duty"],
        "account_id": ["1"],
        "person_id": [str(unit * 4) for unit in tree],
    }
    for path in sorted(PAGES):
        names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        if any(name not in keys for name in names) or path in ("/system/rules/{name}",):
            continue
        if path in (EDITED, PREVIEWED):
            yield (
                path,
                [path.replace("{plan_id}", str(plan)) for plan in plans[: 1 if path == EDITED else None]],
            )
            continue
        yield path, list(_addresses(path, names, keys))


def _addresses(path: str, names: Sequence[str], keys: Mapping[str, Sequence[str]]) -> Iterator[str]:
    if not names:
        yield path
        return
    for values in zip_longest(*(keys[name] for name in names)):
        address = path
        for name, value in zip(names, values, strict=True):
            address = address.replace(f"{{{name}}}", value or keys[name][0])
        yield address


def page_values(values: Mapping[str, list[str]], newest: datetime) -> dict[str, list[str]]:
    """What pages are asked for, beside what the lists of the API are."""
    days = [moment[:10] for moment in values["from"]]
    return {
        "review": ["1"],
        "since": days,
        "until": [moment[:10] for moment in values["to"]],
        "first": days,
        "last": [moment[:10] for moment in values["to"]],
        "kind": ["random", "designated", "demo"],
        "state": ["to_review", "confirmed", "disputed"],
        "by": ["王督查", "nobody"],
        "trunk_name": ["trunk-1"],
        "proof": ["definitive", "strong", "weak"],
        "sign": ["sip_181", "redirect"],
        "period": ["2026-11", "2026Q3", "2025", "2026"],
        "whole_year": ["2025"],
        "q": ["值班室", "水利局", "王建国", "鼍", "5671", "山洪"],
        "keeping": ["held", "soon", "due", "gone"],
        "held": ["held"],
        "status": ["running", "finished", "draft"],
        "words": ["第3县", "第7所", "nobody", "bench-01"],
        "category": ["county", "institution"],
        "parent": values["unit"],
        "typed": ["第3县", "云"],
        "line_kind": ["main", "fax"],
        "verification": ["verified", "unverified"],
        "warned": ["1"],
        "wanting": ["1"],
        "days": ["7", "14", "31"],
        "outcome": ["pending", "entered", "all"],
        "all": ["1"],
        "show": ["missing", "all", "confirmed"],
        "source": ["on_site", "video"],
        "removed": ["1"],
        "year": ["2025", "2026"],
        "who": ["王督查", "nobody"],
        "action": ["recording.play", "session.begin", "check.order"],
        "subject": ["recording:500000", "recording:2", "unit:7"],
        "audit_since": [(newest - timedelta(days=30)).date().isoformat()],
        "audit_until": [(newest - timedelta(days=900)).date().isoformat()],
        "refused": ["1"],
        "wanted": ["active", "waiting", "closed"],
    }
