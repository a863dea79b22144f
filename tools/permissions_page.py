"""The reference page of roles, permissions and doors, from the tables that the service itself asks."""

from __future__ import annotations

from app.accounts.doors import DOORS, OPEN
from app.accounts.permissions import APART, CARRIED, PERMISSION_ZH, ROLE_ZH, Permission, Role

_HEAD = """# Who may do what

Made from `app/accounts/permissions.py` and `app/accounts/doors.py` by `make docs`; the service asks the same tables.
Every way into the service (a page, a part of one, an operation of the API) asks for one permission, and a way that
stands in no table is shut to everybody. How accounts get roles: [signing in and
accounts](../how-to/sign-in-and-accounts.md); why administration, security and audit are apart: [separate
duties](../explanation/separate-duties.md).

An account sees the units of its scope alone, whatever its roles. A token of the API holds some of its account's
permissions, never more than the account has at that moment, and opens no page.

## Roles

| role | | may stand together with others |
|---|---|---|
"""


def permissions_page() -> str:
    """Return the page as Markdown."""
    roles = "\n".join(
        f"| `{role.value}` | {ROLE_ZH[role]} | {'no' if role in APART else 'yes'} |" for role in Role
    )
    head = " | ".join(f"`{role.value}`" for role in Role)
    lines = "\n".join(_line(permission) for permission in Permission)
    table = f"| permission | | {head} |\n|---|---|{'---|' * len(Role)}\n{lines}\n"
    ways = "".join(_ways(permission) for permission in Permission)
    open_ways = "".join(f"- `{way}`\n" for way in sorted(OPEN))
    return (
        f"{_HEAD}{roles}\n\n`no` holds while `DUTYRING_SEPARATE_DUTIES` is on, as it is unless you turn it off.\n\n"
        f"## Permissions\n\n{table}\n## Ways by permission\n{ways}\n### Open to everybody\n\n{open_ways}"
        "- `/sign-in`, `/sign-in/language`, `/enter/{secret}` (one-time links), everything below `/static/`\n"
    )


def _line(permission: Permission) -> str:
    ticks = " | ".join("yes" if role in CARRIED[permission] else "" for role in Role)
    return f"| `{permission.value}` | {PERMISSION_ZH[permission]} | {ticks} |"


def _ways(permission: Permission) -> str:
    found = [line.strip() for line in DOORS.get(permission, "").split("\n") if line.strip()]
    return f"\n### `{permission.value}`\n\n" + "".join(f"- `{way}`\n" for way in found) if found else ""
