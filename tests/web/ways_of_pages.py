"""What the forms of the pages are asked with, for the matrix of ways, roles and scopes (test_authorisation.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.web.twin import Side

WHY = {"reason": "试"}
WHEN = {"at": "2026-11-20T10:00"}
OF_ALL = {
    "form": "xlsx",
    "step": "comment",
    "sample_id": 1,
    "delivery_id": 1,
}
"""Keys of what belongs to no unit."""
_ACCOUNTS: Mapping[str, Callable[[Side], Any] | None] = {
    "POST /account/password": None,
    "POST /account/sessions/end-others": None,
    "POST /account/tokens": lambda side: {"name": "t", "days": "9", "permissions": "checks"},
    "POST /account/tokens/{token_id}/revoke": None,
    "POST /api/v1/tokens": lambda side: {"name": "u", "permissions": ["checks"]},
    "POST /api/v1/tokens/{token_id}/revoke": None,
    "POST /api/v1/accounts": lambda side: {"login": "neu1", "name": "新一", "roles": ["inspector"]},
    "POST /api/v1/accounts/{account_id}/charge": lambda side: {"roles": ["inspector"]},
    "POST /api/v1/accounts/{account_id}/link": None,
    "POST /api/v1/accounts/{account_id}/lock": None,
    "POST /api/v1/accounts/{account_id}/unlock": None,
    "POST /api/v1/accounts/{account_id}/approve": None,
    "POST /api/v1/accounts/{account_id}/refuse": None,
    "POST /api/v1/accounts/{account_id}/close": None,
    "POST /system/accounts": lambda side: {"login": "neu2", "name": "新二", "roles": "inspector"},
    "POST /system/accounts/{account_id}/charge": lambda side: {"roles": "supervisor"},
    "POST /system/accounts/{account_id}/link": None,
    "POST /system/accounts/{account_id}/lock": None,
    "POST /system/accounts/{account_id}/unlock": None,
    "POST /system/accounts/{account_id}/approve": None,
    "POST /system/accounts/{account_id}/refuse": None,
    "POST /system/accounts/{account_id}/close": None,
}
_OFFICE: Mapping[str, Callable[[Side], Any] | None] = {
    "POST /system/doctor": None,
    "POST /system/notices/deliveries/{delivery_id}/again": None,
    "POST /system/notices/test": None,
    "POST /system/rules": lambda side: {"toml": "x"},
    "POST /system/rules/{name}/activate": lambda side: {"document": "文"},
    "POST /system/rules/{name}/compare": lambda side: {"first": "2026-11-24", "last": "2026-11-24"},
    "POST /system/trunks/ask": lambda side: {"name": "x"},
    "POST /system/trunks/test": lambda side: {"name": "x", "number": "0917-3262000"},
    "POST /system/trunks/use": lambda side: {"name": "x", "enabled": "true"},
    "POST /calendar/import": lambda side: {"text": "day,kind\n2027-06-01,workday\n", **WHY},
    "POST /calendar/import/preview": None,
    "POST /calendar/seed": lambda side: {"year": "2026"},
    "POST /calendar/sensitive": lambda side: {
        "first_day": "2027-06-02",
        "last_day": "2027-06-02",
        "sensitive": "1",
    },
    "POST /calendar/{day}": lambda side: {"kind": "workday", "name": "补", **WHY},
    "POST /calendar/{day}/clear": lambda side: WHY,
    "POST /stops": lambda side: {"what": "unit", "unit_id": str(side["unit_id"]), **WHY},
    "POST /stops/{stop_id}/lift": lambda side: WHY,
}
_CALLS: Mapping[str, Callable[[Side], Any] | None] = {
    "POST /api/v1/cases/{case_id}/comment": lambda side: {"words": "批"},
    "POST /api/v1/orders/{order_id}/cases": lambda side: {
        "code": "crbt", **WHY, "clauses": [{"source": "文", "article": "一", "words": "不得"}],
    },
    "POST /checks/{check_id}/answers/{item_id}": lambda side: {"answer": "no"},
    "POST /checks/{check_id}/cases": lambda side: {
        "code": "fax_answer", **WHY, "clause_source": "文", "clause_article": "一", "clause_words": "不得",
    },
    "POST /checks/{check_id}/cases/{case_id}/files": None,
    "POST /checks/{check_id}/cases/{case_id}/{step}": lambda side: {"words": "批"},
    "POST /checks/{check_id}/mitigations": lambda side: {"kind": "other", "note": "注", **WHEN},
    "POST /live/calls/{attempt_id}/hang-up": lambda side: WHY,
    "POST /live/calls/{attempt_id}/notes": lambda side: {"text": "注"},
    "POST /checks/columns": lambda side: {"column": "line"},
    "POST /checks/export": lambda side: {"table": "sign", "form": "csv", "unit": str(side["unit_id"])},
    "POST /checks/filters": lambda side: {"name": "存", "verdict": "overtime"},
    "POST /checks/filters/{filter_id}/delete": None,
    "POST /reports/exports/{job_id}/cancel": None,
    "POST /reports/forms": lambda side: {"units": str(side["unit_id"]), "first": "2026-11-01", "last": "2026-11-30"},
    "POST /designated": lambda side: {"line_id": str(side["line_id"]), **WHY},
    "POST /designated/verify": lambda side: {"line_id": str(side["line_id"]), **WHY},
    "POST /manual": lambda side: {
        "unit": str(side["unit_id"]), "source": "on_site", "day": "2026-11-20", "time": "10:00", "made_by": "王",
        "found": "在岗",
    },
    "POST /phone-records": lambda side: {
        "called_at": "2026-11-20T10:00", "source": "incoming", "unit_id": str(side["unit_id"]),
    },
    "POST /phone-records/from-sound": lambda side: {"unit_id": str(side["unit_id"])},
    "POST /phone-records/{record_id}": lambda side: {"version": "9", "content": "改"},
    "POST /phone-records/{record_id}/correct": None,
    "POST /phone-records/{record_id}/sign": lambda side: {"version": "9"},
}  # fmt: skip
_KEPT: Mapping[str, Callable[[Side], Any] | None] = {
    "POST /recordings/{recording_id}/holds": lambda side: WHY,
    "POST /recordings/{recording_id}/holds/{hold_id}/lift": lambda side: WHY,
    "POST /recordings/{recording_id}/removals": lambda side: WHY,
    "POST /recordings/{recording_id}/removals/{removal_id}/decide": lambda side: {"approve": "no", **WHY},
    "POST /recordings/{recording_id}/withdraw": lambda side: WHY,
    "POST /recordings/{recording_id}/samples": lambda side: {
        "meaning": "powered_off", "label": "关", "start": "0", "end": "0.1",
    },
    "POST /api/v1/recordings/{recording_id}/samples": lambda side: {
        "meaning": "powered_off", "label": "关", "start_s": 0, "end_s": 0.1,
    },
    "DELETE /api/v1/samples/{sample_id}": None,
    "POST /samples/{sample_id}/withdraw": None,
}  # fmt: skip
_PLANS: Mapping[str, Callable[[Side], Any] | None] = {
    "POST /plans": lambda side: {"name": "新", "units": str(side["head"])},
    "POST /plans/preview": lambda side: {"name": "新", "units": str(side["head"])},
    "POST /plans/{plan_id}": lambda side: {"name": "改", "units": str(side["head"])},
    "POST /plans/{plan_id}/approve-night": None,
    "POST /plans/{plan_id}/start": None,
    "POST /plans/{plan_id}/pause": lambda side: WHY,
    "POST /plans/{plan_id}/resume": lambda side: WHY,
    "POST /plans/{plan_id}/cancel": lambda side: WHY,
    "POST /prompts": lambda side: {"kind": "opening", "name": "x", "words": "x"},
    "POST /prompts/shipped": None,
    "POST /prompts/{prompt_id}/approve": None,
    "POST /prompts/{prompt_id}/retire": None,
}
BODIES: Mapping[str, Callable[[Side], Any] | None] = {**_ACCOUNTS, **_OFFICE, **_CALLS, **_KEPT, **_PLANS}
OF_THE_BODY = (
    "POST /stops",
    "POST /designated",
    "POST /designated/verify",
    "POST /manual",
    "POST /phone-records",
)
"""Ways whose unit stands in the form."""
EMPTY = (
    "GET /account", "GET /account/welcome", "GET /calendar", "GET /calendar/{day}", "GET /checks/rows",
    "GET /help", "GET /help/panel", "GET /live", "GET /plans/year", "GET /plans/{plan_id}/progress",
    "GET /plans/{plan_id}/verify", "GET /plans/{plan_id}/preview", "GET /prompts", "GET /samples",
    "GET /api/v1/samples",
    "GET /stops/under-way", "GET /system", "GET /system/rules", "GET /system/rules/{name}", "GET /system/trunks",
    "GET /system/trunks/tests",
    "GET /reports/summary/{form}", "GET /reports/exports/{job_id}/file", "GET /reports/ranking", "GET /overview",
    "GET /checks/{check_id}/cases/{case_id}/notice", "GET /live/calls/{attempt_id}/sound", "GET /system/notices",
    "GET /plans/{plan_id}/edit", "GET /designated/recent", "GET /api/v1/tokens", "GET /live/calls/{attempt_id}",
)  # fmt: skip
"""Ways that say nothing of a unit here, or have nothing to say of a call that is over."""
ON_RECORD = ("GET /reports/summary/{form}", "GET /reports/exports/{job_id}/file")
"""Ways that only read, and leave a line all the same."""
NO_LINE: Mapping[str, str] = {
    "POST /checks/columns": "how one's own list looks",
    "POST /checks/filters": "how one's own list looks",
    "POST /checks/filters/{filter_id}/delete": "how one's own list looks",
    "POST /calendar/seed": "the same year was entered by the API before: nothing changes",
    "POST /api/v1/tokens/{token_id}/revoke": "the page let it end before",
    "POST /prompts/shipped": "entered by the API before: nothing changes",
    "POST /plans/preview": "nothing is kept",
    "POST /system/rules/{name}/compare": "nothing is kept",
    "POST /api/v1/rules/compare": "nothing is kept",
}
"""Ways that leave no line, each with the reason."""
NOT_HERE = (
    # The call is over; what every unit's calls are listened to by, an account for a part of them does not change.
    "POST /recordings/{recording_id}/samples", "POST /api/v1/recordings/{recording_id}/samples",
    "GET /checks/{check_id}/cases/{case_id}/notice", "GET /live/calls/{attempt_id}/sound",
    # It went by the API before.
    "POST /units/{unit_id}/whereabouts/{row_id}/forget",
)  # fmt: skip
SAID_ON_THE_PAGE: Mapping[str, str] = {"POST /stops/{stop_id}/lift": "没有这条停拨"}
"""Ways that say with their page that something is not there."""
OF_A_BROWSER = ("POST /account/password", "POST /account/tokens", "POST /api/v1/tokens")
"""Ways that ask for a session of a browser, which a test's person has none of: test_accounts_pages and test_tokens."""
