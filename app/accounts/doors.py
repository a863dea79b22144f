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
        GET /help
        GET /help/panel
        POST /sign-out
        GET /account
        GET /account/welcome
        POST /account/password
        POST /account/sessions/end-others
        POST /account/tokens
        POST /account/tokens/{token_id}/revoke
        GET /api/v1/tokens
        POST /api/v1/tokens
        POST /api/v1/tokens/{token_id}/revoke
        GET /system
    """,
    P.OVERVIEW: """
        GET /overview
    """,
    P.DIRECTORY: """
        GET /units
        GET /units/branch
        GET /units/found
        GET /units/suggestions
        GET /units/lines
        GET /units/number-changes
        GET /units/exemptions
        GET /units/confirmations
        GET /units/rosters
        GET /units/{unit_id}
        GET /units/{unit_id}/children
        GET /units/{unit_id}/people
        GET /units/{unit_id}/history
        GET /units/{unit_id}/rosters
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
        GET /units/new
        POST /units/new
        GET /units/{unit_id}/change
        POST /units/{unit_id}/change
        GET /units/{unit_id}/move
        POST /units/{unit_id}/move
        GET /units/{unit_id}/close
        POST /units/{unit_id}/close
        GET /units/{unit_id}/regimes/new
        POST /units/{unit_id}/regimes/new
        GET /units/{unit_id}/regimes/{regime_id}
        POST /units/{unit_id}/regimes/{regime_id}
        GET /units/{unit_id}/confirmations/new
        POST /units/{unit_id}/confirmations/new
        GET /units/{unit_id}/lines/new
        POST /units/{unit_id}/lines/new
        GET /units/{unit_id}/lines/{line_id}/change
        POST /units/{unit_id}/lines/{line_id}/change
        GET /units/{unit_id}/lines/{line_id}/share
        POST /units/{unit_id}/lines/{line_id}/share
        GET /units/{unit_id}/lines/{line_id}/exemptions/new
        POST /units/{unit_id}/lines/{line_id}/exemptions/new
        GET /units/{unit_id}/line-exemptions/{exemption_id}
        POST /units/{unit_id}/line-exemptions/{exemption_id}
        GET /units/{unit_id}/people/new
        POST /units/{unit_id}/people/new
        GET /units/{unit_id}/people/{person_id}/change
        POST /units/{unit_id}/people/{person_id}/change
        GET /units/{unit_id}/number-changes/new
        POST /units/{unit_id}/number-changes/new
        GET /units/{unit_id}/number-changes/{change_id}/enter
        POST /units/{unit_id}/number-changes/{change_id}/enter
        GET /units/{unit_id}/number-changes/{change_id}/dismiss
        POST /units/{unit_id}/number-changes/{change_id}/dismiss
        GET /units/{unit_id}/exemptions/new
        POST /units/{unit_id}/exemptions/new
        GET /units/{unit_id}/exemptions/{exemption_id}
        POST /units/{unit_id}/exemptions/{exemption_id}
        GET /units/{unit_id}/rosters/{day}/{kind}
        POST /units/{unit_id}/rosters/{day}/{kind}
        GET /units/import
        POST /units/import
        GET /units/import/template.xlsx
        GET /units/import/{key}
        POST /units/import/{key}/confirm
        POST /units/import/{key}/discard
        GET /units/directory.xlsx
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
        GET /units/{unit_id}/whereabouts
        GET /units/{unit_id}/whereabouts/new
        POST /units/{unit_id}/whereabouts/new
        POST /units/{unit_id}/whereabouts/{row_id}/read
        POST /units/{unit_id}/whereabouts/{row_id}/forget
        GET /api/v1/units/{unit_id}/whereabouts
        POST /api/v1/units/{unit_id}/whereabouts
        GET /api/v1/whereabouts/{row_id}
        DELETE /api/v1/whereabouts/{row_id}
    """,
    P.CALENDAR: """
        GET /calendar
        GET /calendar/{day}
        GET /api/v1/calendar
        GET /api/v1/calendar/export
        GET /api/v1/calendar/{day}
    """,
    P.CALENDAR_CHANGE: """
        POST /calendar/sensitive
        POST /calendar/seed
        POST /calendar/import
        POST /calendar/import/preview
        POST /calendar/{day}
        POST /calendar/{day}/clear
        POST /api/v1/calendar/import
        POST /api/v1/calendar/seed
        POST /api/v1/calendar/sensitive
        PUT /api/v1/calendar/{day}
        DELETE /api/v1/calendar/{day}
    """,
    P.PLANS: """
        GET /plans
        GET /plans/year
        GET /plans/{plan_id}
        GET /plans/{plan_id}/preview
        GET /plans/{plan_id}/progress
        GET /plans/{plan_id}/verify
        GET /prompts
        GET /designated
        GET /designated/recent
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
        GET /plans/new
        GET /plans/{plan_id}/edit
        POST /plans
        POST /plans/preview
        POST /plans/{plan_id}
        POST /plans/{plan_id}/start
        POST /plans/{plan_id}/pause
        POST /plans/{plan_id}/resume
        POST /plans/{plan_id}/cancel
        POST /prompts
        POST /prompts/shipped
        POST /designated
        POST /designated/verify
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
        POST /plans/{plan_id}/approve-night
        POST /prompts/{prompt_id}/approve
        POST /prompts/{prompt_id}/retire
        POST /api/v1/plans/{plan_id}/approve-night
        POST /api/v1/prompts/{prompt_id}/approve
        POST /api/v1/prompts/{prompt_id}/retire
    """,
    P.CHECKS: """
        GET /checks
        GET /checks/rows
        POST /checks/columns
        POST /checks/filters
        POST /checks/filters/{filter_id}/delete
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
        GET /manual
        GET /manual/{manual_id}
        GET /api/v1/cases
        GET /api/v1/cases/{case_id}
        GET /api/v1/cases/{case_id}/notice
        GET /api/v1/review-queue
        GET /api/v1/attachments/{attachment_id}
        GET /checks/{check_id}/cases/{case_id}/notice
    """,
    P.LIVE: """
        GET /api/v1/attempts/{attempt_id}/live-transcript
        GET /live
        GET /live/stream
        GET /live/calls/{attempt_id}
        GET /live/calls/{attempt_id}/panel
        GET /live/calls/{attempt_id}/sound
        POST /live/calls/{attempt_id}/hang-up
        POST /live/calls/{attempt_id}/notes
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
        GET /api/v1/attempts/{attempt_id}/answer-items
        POST /checks/{check_id}/answers/{item_id}
        GET /recordings
        GET /recordings/{recording_id}/keeping
        GET /samples
        GET /api/v1/samples
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
        POST /api/v1/cases/{case_id}/comment
        POST /api/v1/orders/{order_id}/cases
        POST /checks/{check_id}/cases
        POST /checks/{check_id}/cases/{case_id}/files
        POST /checks/{check_id}/cases/{case_id}/{step}
        POST /recordings/{recording_id}/holds
        POST /recordings/{recording_id}/holds/{hold_id}/lift
        POST /recordings/{recording_id}/removals
        POST /recordings/{recording_id}/removals/{removal_id}/decide
        POST /recordings/{recording_id}/withdraw
        POST /recordings/{recording_id}/samples
        POST /samples/{sample_id}/withdraw
        POST /api/v1/recordings/{recording_id}/samples
        DELETE /api/v1/samples/{sample_id}
    """,
    P.MITIGATE: """
        POST /api/v1/orders/{order_id}/mitigations
        POST /checks/{check_id}/mitigations
    """,
    P.MANUAL_CHECKS: """
        GET /manual/new
        POST /manual
        POST /api/v1/manual-checks
    """,
    P.STOP: """
        GET /api/v1/stops
        GET /stops
        GET /stops/banner
        GET /stops/panel
        GET /stops/under-way
        POST /stops
        POST /api/v1/stops
    """,
    P.STOP_LIFT: """
        POST /api/v1/stops/{stop_id}/lift
        POST /stops/{stop_id}/lift
    """,
    P.TABLES: """
        POST /checks/export
        GET /reports
        GET /reports/summary/{form}
        GET /reports/ranking
        GET /reports/forms
        POST /reports/forms
        GET /reports/publications
        GET /reports/publications/{publication_id}
        GET /reports/exports
        GET /reports/exports/{job_id}/row
        GET /reports/exports/{job_id}/file
        POST /reports/exports/{job_id}/cancel
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
        GET /api/v1/trunk-tests
        GET /api/v1/trunk-tests/{trunk_test_id}
        GET /system/trunks
        GET /system/trunks/tests
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
        GET /phone-records
        POST /phone-records
        GET /phone-records/new
        POST /phone-records/from-sound
        POST /phone-records/{record_id}
        GET /phone-records/{record_id}/edit
        POST /phone-records/{record_id}/correct
        POST /phone-records/{record_id}/sign
    """,
    P.ACCOUNTS: """
        GET /system/accounts
        GET /system/accounts/{account_id}
        POST /system/accounts/{account_id}/approve
        POST /system/accounts/{account_id}/refuse
        POST /system/accounts/{account_id}/lock
        POST /system/accounts/{account_id}/unlock
        GET /api/v1/accounts
        GET /api/v1/accounts/{account_id}
        POST /api/v1/accounts/{account_id}/approve
        POST /api/v1/accounts/{account_id}/refuse
        POST /api/v1/accounts/{account_id}/lock
        POST /api/v1/accounts/{account_id}/unlock
    """,
    P.ACCOUNTS_CHANGE: """
        GET /system/accounts/new
        POST /system/accounts
        POST /system/accounts/{account_id}/charge
        POST /system/accounts/{account_id}/link
        POST /system/accounts/{account_id}/close
        POST /api/v1/accounts
        POST /api/v1/accounts/{account_id}/charge
        POST /api/v1/accounts/{account_id}/link
        POST /api/v1/accounts/{account_id}/close
    """,
    P.RETENTION: """
        GET /api/v1/recordings
        GET /api/v1/recordings/{recording_id}
        GET /api/v1/recording-removals
        GET /system/storage
    """,
    P.AUDIT: """
        GET /system/audit
        POST /system/audit/verify
        POST /system/audit/export
    """,
    P.TRUNKS_CHANGE: """
        POST /api/v1/trunk-tests
        POST /system/trunks/ask
        POST /system/trunks/test
        POST /system/trunks/use
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


WHOLE_OFFICE = frozenset(
    {
        P.CALENDAR_CHANGE,
        P.RULES_CHANGE,
        P.TRUNKS_CHANGE,
        P.ACCOUNTS,
        P.ACCOUNTS_CHANGE,
        P.ACCOUNTS_APPROVE,
        P.AUDIT,
        P.SYSTEM,
    }
)
"""What holds for every unit at once: an account for a part of the tree does none of it, whatever its role."""


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
