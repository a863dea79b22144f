"""Writes the reference pages and the drawing that are made from the code: `make docs`.

Tests hold that the stored pages are what the code gives; this brings them up to it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.reviews.states import review_states_page
from sip.core import state_machines_page
from sip.simulator import lines_page
from sip.trunks import alarms_page
from tools import draw_examples
from tools.api_page import api_page
from tools.permissions_page import permissions_page

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
PAGES: dict[str, Callable[[], str]] = {
    "alarms.md": alarms_page,
    "api-operations.md": api_page,
    "permissions.md": permissions_page,
    "review-states.md": review_states_page,
    "simulated-lines.md": lines_page,
    "state-machines.md": state_machines_page,
}


def write(folder: Path = REFERENCE) -> list[str]:
    """Write every page into `folder`; return the names of those that changed."""
    changed = []
    for name, page in PAGES.items():
        path, text = folder / name, page()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(name)
    return changed


def main() -> None:
    """Write the pages and say what changed."""
    changed = [f"reference/{name}" for name in write()]
    changed += [f"how-to/{name}" for name in draw_examples.write()]
    print("\n".join(f"wrote docs/{name}" for name in changed) or "all pages are up to date")  # noqa: T201


if __name__ == "__main__":
    main()
