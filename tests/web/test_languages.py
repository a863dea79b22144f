"""Pages speak Chinese and English: every message of a template has its English, and every catalogue is sound."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from app.web import i18n
from app.web.pages import FOLDER, _environment
from sip.trunks.alarms import MEANINGS

CHINESE = re.compile("[\u4e00-\u9fff]")
HOLDS = re.compile(r"%\((\w+)\)s")
CITED = re.compile(r"[（(].*?[)）]|《.*?》|“.*?”|转(?=\d)")
"""Chinese that English may name: in brackets, a title of a document, quoted words, an extension as it is written."""
PAPERS = re.compile(r'<article[^>]* lang="zh-CN">.*?</article>', re.DOTALL)
"""Official papers, which are written in Chinese alone."""
PARTS = sorted((i18n.CATALOGUES / "en").glob("*.po"))


def messages() -> Iterator[tuple[str, str]]:
    """Every message of the templates, with its place."""
    found = extract_from_dir(
        FOLDER / "templates",
        method_map=[("**.html", "jinja2")],
        options_map={"**.html": {"newstyle_gettext": "true", "trim_blocks": "true", "lstrip_blocks": "true"}},
    )
    for file, line, message, _, _ in found:
        for one in (message,) if isinstance(message, str) else message:
            if one:
                yield one, f"{file}:{line}"


def test_every_message_has_its_english() -> None:
    english = i18n.catalogue("en")
    missing = sorted({f"{place}: {message}" for message, place in messages() if message not in english})
    assert missing == []


@pytest.mark.parametrize("path", PARTS, ids=lambda path: path.stem)
def test_a_catalogue_is_sound(path: Path) -> None:
    with path.open("rb") as file:
        entries = [message for message in read_po(file, locale="en", abort_invalid=True) if message.id]
    for entry in entries:
        assert entry.string, f"{path.name}: {entry.id} has no English"
        assert not entry.fuzzy, f"{path.name}: {entry.id} is fuzzy"
        assert set(HOLDS.findall(str(entry.id))) == set(HOLDS.findall(str(entry.string))), entry.id
        assert not CHINESE.search(CITED.sub("", str(entry.string))), f"{path.name}: {entry.string}"


def test_a_page_speaks_the_words_of_its_own_room_and_the_head_is_the_same_everywhere() -> None:
    """撤销 is a button among the accounts and a state among the checks; 一 is a Monday in a plan and a number else."""
    i18n.speak("en")
    said = {}
    for path in (
        "/account",
        "/checks",
        "/checks/7",
        "/plans/new",
        "/system/audit",
        "/units/3/close",
        "/today",
    ):
        i18n.enter(path)
        said[path] = (i18n.gettext("撤销"), i18n.gettext("一"), i18n.head("抽查记录"))
    i18n.speak(i18n.FIRST)
    assert [words[0] for words in said.values()][:2] == ["Revoke", "revoked"]
    assert said["/units/3/close"][0] == "Close"
    assert (said["/plans/new"][1], said["/checks"][1]) == ("Mo", "1")
    assert {words[2] for words in said.values()} == {"Checks"}


def test_every_room_has_its_catalogue() -> None:
    assert {*i18n.ROOMS.values(), i18n.HEAD, "live", "words"} <= {path.stem for path in PARTS}


def test_no_chinese_of_a_template_stands_outside_a_message() -> None:
    bare = []
    for path in sorted((FOLDER / "templates").rglob("*.html")):
        text = PAPERS.sub("", path.read_text())
        text = re.sub(r"\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}|<!--.*?-->", "", text, flags=re.DOTALL)
        found = CHINESE.search(text)
        if found:
            bare.append(f"{path.name}: {text[found.start() :][:30]!r}")
    assert bare == []


def test_scripts_take_their_words_from_the_page() -> None:
    bare = []
    for path in sorted((FOLDER / "static").glob("*.js")):
        code = re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(), flags=re.DOTALL)
        bare += [f"{path.name}: {line.strip()[:80]}" for line in code.splitlines() if CHINESE.search(line)]
    assert bare == []


def test_every_alarm_of_a_trunk_is_told_in_english() -> None:
    english = i18n.catalogue("en")
    told = [words for meaning in MEANINGS.values() for words in (meaning.zh, meaning.do_zh)]
    assert [words for words in told if words not in english] == []


def test_words_of_other_rooms_are_translated_for_each_reader() -> None:
    """What stands in a template is not translated once for all readers when the template is compiled."""
    template = _environment.from_string('{{ "紧急停拨"|head }} {{ "撤销"|tr }}')
    said = []
    for language in ("en", i18n.FIRST):
        i18n.speak(language)
        i18n.enter("/units")
        said.append(template.render())
    assert said == ["Emergency stop Close", "紧急停拨 撤销"]
