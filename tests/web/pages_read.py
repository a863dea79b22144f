"""What tests read out of pages: their text, the fields of their forms, the problems beside them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from babel.messages.extract import extract

WEB = Path(__file__).parents[2] / "app/web"
CHINESE = re.compile("[\u4e00-\u9fff][\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]*")
"""Chinese and what stands between it."""
_VOID = {"input", "meta", "link", "br", "img", "hr"}

FIELDS: dict[str, Any] = {
    "name": "三月抽查",
    "first_day": "2026-03-05",
    "last_day": "2026-03-29",
    "period": "week",
    "start_workday": ["08:00", ""],
    "end_workday": ["20:00", ""],
    "calls_per_unit": "1",
    "extra_per_unit": "0.5",
    "yearly_coverage": "1",
    "line_day": "1",
    "line_week": "3",
    "least_gap_h": "12",
    "after_min_s": "600",
    "after_max_s": "780",
    "most_calls": "3",
    "causes": ["no_answer", "busy"],
    "line_kinds": "duty",
    "max_talk_s": "30",
    "max_ring_s": "60",
    "opening_id": "1",
    "notice": "1",
}
"""What a browser sends of the form of a plan that can be started."""


class Page(HTMLParser):
    """The text of `<main>` and what its fields hold."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        """Texts, titles and labels that somebody reads, in order."""
        self.fields: dict[str, list[str]] = {}
        """What a browser would send of all forms together: ticked boxes, chosen options, values."""
        self.wrong: dict[str, str] = {}
        """Problems by the place that they stand beside."""
        self.actions: list[str] = []
        """Where the forms of the page that change something lead."""
        self._open: list[str] = []
        self._select: str | None = None
        self._area: str | None = None
        self._wrong: str | None = None
        self.feed(html)

    @property
    def text(self) -> str:
        """All of it in one line."""
        return " ".join(" ".join(self.words).split())

    @property
    def _in_main(self) -> bool:
        return "main" in self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take notice of a tag."""
        given: dict[str, str] = {name: value or "" for name, value in attrs}
        if tag not in _VOID:
            self._open.append(tag)
        if not self._in_main:
            return
        self.words += [given[name] for name in ("title", "aria-label", "placeholder") if given.get(name)]
        if tag == "form" and given.get("method") == "post":
            self.actions.append(given["action"])
        if tag == "input":
            self._input(given)
        if tag == "select":
            self._select = given.get("name")
        if tag == "option" and self._select is not None and "selected" in given:
            self.fields.setdefault(self._select, []).append(given.get("value", ""))
        if tag == "textarea":
            self._area = given.get("name")
        if given.get("id", "").startswith("wrong-"):
            self._wrong = given["id"].removeprefix("wrong-")

    def _input(self, given: dict[str, str]) -> None:
        if given.get("type") in ("checkbox", "radio") and "checked" not in given:
            return
        if given.get("name") and given["name"] != "csrf":
            self.fields.setdefault(given["name"], []).append(given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        """Close a tag."""
        while self._open and self._open.pop() != tag:
            pass
        if tag == "select":
            self._select = None
        if tag == "textarea":
            self._area = None
        if tag == "span":
            self._wrong = None

    def handle_data(self, data: str) -> None:
        """Keep a text."""
        if self._area is not None:
            self.fields.setdefault(self._area, []).append(data)
        if self._wrong is not None:
            self.wrong[self._wrong] = self.wrong.get(self._wrong, "") + data
        if self._in_main and data.strip():
            self.words.append(data)


def messages(folder: str) -> Iterator[str]:
    """Every Chinese message of a page's templates and code, docstrings left out."""
    for path in sorted((WEB / "templates" / folder).glob("*.html")):
        with path.open("rb") as file:
            options: Any = {"extensions": "jinja2.ext.i18n", "trim_blocks": "true"}
            for _, message, _, _ in extract(
                "jinja2.ext:babel_extract", file, keywords={"_": None}, options=options
            ):
                yield str(message)
    for path in sorted((WEB / folder).glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) and id(node) not in told else None
            if isinstance(text, str) and CHINESE.match(text):
                yield text
