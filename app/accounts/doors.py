"""The doors: which permission each way into the service asks for.

One line a way, `METHOD path` as the route has it; HEAD goes with GET. A route that stands nowhere here is shut to
everybody, and a test names it. docs/reference/permissions.md is written from this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from app.accounts.permissions import Permission as P

OPEN = frozenset({"GET /healthz", "GET /readyz", "GET /metrics"})
"""Open to everybody (`/metrics` asks for its own token). So is everything below `/static/`."""

DOORS: Mapping[P, str] = {
    P.SIGNED_IN: """
        GET /
        GET /today
        POST /sign-out
        GET /system
    """,
    P.DIRECTORY: """
        GET /api/v1/units
        GET /api/v1/units/{unit_id}
        GET /api/v1/units/{unit_id}/regimes
        GET /api/v1/units/{unit_id}/line-warnings
        GET /api/v1/units/{unit_id}/roster-at
        GET /api/v1/lines
        GET /api/v1/lines/{line_id}
        GET /api/v1/line-exemptions
        GET /api/v1/unit-exemptions
        GET /api/v1/people
        GET /api/v1/people/{person_id}
        GET /api/v1/number-changes
        GET /api/v1/confirmations
        GET /api/v1/rosters
        GET /api/v1/roster-filings
        GET /api/v1/roster-warnings
    """,
    P.DIRECTORY_CHANGE: """
        POST /api/v1/units
        PATCH /api/v1/units/{unit_id}
        POST /api/v1/units/{unit_id}/move
        POST /api/v1/units/{unit_id}/close
        POST /api/v1/units/{unit_id}/regimes
        PATCH /api/v1/regimes/{regime_id}
        POST /api/v1/units/{unit_id}/lines
        PATCH /api/v1/lines/{line_id}
        PUT /api/v1/lines/{line_id}/further-units
        POST /api/v1/lines/{line_id}/exemptions
        PATCH /api/v1/line-exemptions/{exemption_id}
        POST /api/v1/units/{unit_id}/exemptions
        PATCH /api/v1/unit-exemptions/{exemption_id}
        POST /api/v1/units/{unit_id}/people
        PATCH /api/v1/people/{person_id}
        POST /api/v1/units/{unit_id}/confirmations
        POST /api/v1/units/{unit_id}/rosters
        POST /api/v1/number-changes
        POST /api/v1/number-changes/{change_id}/enter
        POST /api/v1/number-changes/{change_id}/dismiss
        POST /api/v1/imports
        GET /api/v1/imports/{key}
        DELETE /api/v1/imports/{key}
        GET /api/v1/imports/{key}/changes
        GET /api/v1/imports/{key}/findings
        POST /api/v1/imports/{key}/confirm
        GET /api/v1/directory.xlsx
    """,
    P.WHEREABOUTS: """
        GET /api/v1/units/{unit_id}/whereabouts
        POST /api/v1/units/{unit_id}/whereabouts
        GET /api/v1/whereabouts/{row_id}
        DELETE /api/v1/whereabouts/{row_id}
    """,
    P.CALENDAR: """
        GET /api/v1/calendar
        GET /api/v1/calendar/export
        GET /api/v1/calendar/{day}
    """,
    P.CALENDAR_CHANGE: """
        POST /api/v1/calendar/import
        POST /api/v1/calendar/seed
        POST /api/v1/calendar/sensitive
        PUT /api/v1/calendar/{day}
        DELETE /api/v1/calendar/{day}
    """,
    P.PLANS: """
        GET /api/v1/plans
        GET /api/v1/plans/{plan_id}
        GET /api/v1/plans/{plan_id}/preview
        GET /api/v1/plans/{plan_id}/draw
        GET /api/v1/plans/{plan_id}/draw/{number}/inputs/{epoch}
        GET /api/v1/plans/{plan_id}/draw/{number}/slots
        GET /api/v1/prompts
        GET /api/v1/prompts/{prompt_id}
        GET /api/v1/prompts/{prompt_id}/sound
    """,
    P.PLANS_CHANGE: """
        POST /api/v1/plans
        PUT /api/v1/plans/{plan_id}
        POST /api/v1/plans/{plan_id}/start
        POST /api/v1/plans/{plan_id}/pause
        POST /api/v1/plans/{plan_id}/resume
        POST /api/v1/plans/{plan_id}/cancel
        POST /api/v1/designated-checks
        POST /api/v1/verification-calls
        POST /api/v1/prompts
        POST /api/v1/prompts/shipped
    """,
    P.PLANS_APPROVE: """
        POST /api/v1/plans/{plan_id}/approve-night
        POST /api/v1/prompts/{prompt_id}/approve
        POST /api/v1/prompts/{prompt_id}/retire
    """,
    P.CHECKS: """
        GET /checks
        GET /checks/rows
        GET /checks/{check_id}
        GET /checks/{check_id}/body
        GET /api/v1/checks
        GET /api/v1/checks/{check_id}
        GET /api/v1/orders
        GET /api/v1/orders/{order_id}
        GET /api/v1/orders/{order_id}/mitigations
        GET /api/v1/coverage
        GET /api/v1/coverage/summary
        GET /api/v1/manual-checks
        GET /api/v1/manual-checks/{manual_id}
        GET /api/v1/cases
        GET /api/v1/cases/{case_id}
        GET /api/v1/cases/{case_id}/notice
        GET /api/v1/review-queue
        GET /api/v1/attachments/{attachment_id}
        GET /api/v1/attempts/{attempt_id}/answer-items
    """,
    P.LIVE: """
        GET /api/v1/attempts/{attempt_id}/live-transcript
    """,
    P.LISTEN: """
        GET /recordings/{recording_id}
        GET /api/v1/attempts/{attempt_id}/trace
        GET /api/v1/attempts/{attempt_id}/bundle
        GET /api/v1/checks/{check_id}/bundle
        GET /api/v1/recordings/{recording_id}/clip
        GET /api/v1/recordings/{recording_id}/peaks
        GET /api/v1/recordings/{recording_id}/transcript
        GET /api/v1/recordings/{recording_id}/transcriptions
        POST /api/v1/recordings/{recording_id}/transcriptions
        GET /api/v1/transcripts/search
        POST /api/v1/answer-items/{item_id}/answer
    """,
    P.REVIEW: """
        POST /api/v1/cases/{case_id}/accept
        POST /api/v1/cases/{case_id}/attachments
        POST /api/v1/cases/{case_id}/confirm
        POST /api/v1/cases/{case_id}/dispute
        POST /api/v1/cases/{case_id}/notify
        POST /api/v1/cases/{case_id}/overturn
        POST /api/v1/cases/{case_id}/propose
        POST /api/v1/cases/{case_id}/revoke
        POST /api/v1/cases/{case_id}/uphold
        POST /api/v1/recordings/{recording_id}/holds
        POST /api/v1/recordings/{recording_id}/holds/{hold_id}/lift
        POST /api/v1/recordings/{recording_id}/removals
        POST /api/v1/recordings/{recording_id}/removals/{removal_id}/decide
        POST /api/v1/recordings/{recording_id}/withdraw
        POST /api/v1/rules/trunk-music/correct
    """,
    P.MITIGATE: """
        POST /api/v1/orders/{order_id}/mitigations
    """,
    P.MANUAL_CHECKS: """
        POST /api/v1/manual-checks
    """,
    P.STOP: """
        GET /api/v1/stops
        POST /api/v1/stops
    """,
    P.STOP_LIFT: """
        POST /api/v1/stops/{stop_id}/lift
    """,
    P.TABLES: """
        GET /api/v1/scores
        GET /api/v1/scores/ranking
        GET /api/v1/scores/{unit_id}
        GET /api/v1/publications
        GET /api/v1/publications/{publication_id}
    """,
    P.PUBLISH: """
        POST /api/v1/publications
    """,
    P.RULES: """
        GET /api/v1/rule-sets
        GET /api/v1/rule-sets/{name}
        GET /api/v1/rules/activations
        GET /api/v1/rules/in-force
        GET /api/v1/rules/trunk-music
        POST /api/v1/rules/compare
        GET /system/rules
        GET /system/rules/{name}
        POST /system/rules/{name}/compare
    """,
    P.RULES_CHANGE: """
        POST /api/v1/rule-sets
        POST /api/v1/rule-sets/toml
        POST /api/v1/rule-sets/{name}/activate
        POST /system/rules
        POST /system/rules/{name}/activate
    """,
    P.TRUNKS: """
        GET /api/v1/trunks
        GET /system/trunks
    """,
    P.TRUNKS_CHANGE: """
        POST /system/trunks/ask
        POST /system/trunks/use
    """,
    P.ALARMS: """
        GET /api/v1/alarms
        GET /api/v1/transcriber
        GET /system/notices
    """,
    P.PHONE_RECORDS: """
        GET /phone-records/{record_id}
        GET /api/v1/phone-records
        POST /api/v1/phone-records
        POST /api/v1/phone-records/from-sound
        GET /api/v1/phone-records/{record_id}
        POST /api/v1/phone-records/{record_id}/corrections
        GET /api/v1/phone-records/{record_id}/docx
        POST /api/v1/phone-records/{record_id}/sign
        GET /api/v1/phone-records/{record_id}/versions
        POST /api/v1/phone-records/{record_id}/versions
    """,
    P.RETENTION: """
        GET /api/v1/recordings
        GET /api/v1/recordings/{recording_id}
        GET /api/v1/recording-removals
        GET /system/storage
    """,
    P.SYSTEM: """
        GET /system/state
        GET /system/settings
        GET /system/doctor
        POST /system/doctor
        POST /system/notices/test
        POST /system/notices/deliveries/{delivery_id}/again
    """,
}


@lru_cache(maxsize=1)
def ways() -> Mapping[str, P]:
    """Every way by its `METHOD path`. Raises ValueError where one stands twice."""
    found: dict[str, P] = {}
    for permission, lines in DOORS.items():
        for line in lines.split("\n"):
            way = line.strip()
            if way and way in found:
                raise ValueError(f"{way} stands twice among the doors")
            if way:
                found[way] = permission
    return found


def asked(method: str, path: str) -> P | None:
    """Return what a way asks for; None where it stands nowhere."""
    return ways().get(f"{'GET' if method == 'HEAD' else method} {path}")
