"""Every word of the pages of checks, recordings, samples and phone records has its English."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import Environment

from app.checks.rules import CODES
from app.evidence.holding import KIND_ZH
from app.phone_records.form import LABELS
from app.reviews.states import STATE_ZH, STEP_ZH
from app.web.check.cases import CAUSE_ZH
from app.web.i18n import catalogue
from app.web.pages import FOLDER
from app.web.recordings.listing import KEEPING

TEMPLATES = FOLDER / "templates"
PAGES = [
    TEMPLATES / "_words.html",
    *(
        path
        for folder in ("check", "recordings", "samples", "phone_records")
        for path in sorted((TEMPLATES / folder).iterdir())
    ),
]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_templates_speak_english(path: Path) -> None:
    environment = Environment(extensions=["jinja2.ext.i18n"])
    found = environment.extract_translations(path.read_text(encoding="utf-8"))
    messages = [message if isinstance(message, str) else message[0] for _, _, message in found]
    assert [message for message in messages if message not in catalogue("en")] == []


@pytest.mark.parametrize("words", [STATE_ZH, STEP_ZH, CAUSE_ZH, KEEPING, KIND_ZH, LABELS])
def test_words_of_other_rooms_have_english(words: dict[str, str]) -> None:
    assert [word for word in words.values() if word not in catalogue("en")] == []


def test_verdicts_have_english() -> None:
    words = [word for info in CODES.values() for word in (info.zh, info.next_zh)]
    assert [word for word in words if word not in catalogue("en")] == []
