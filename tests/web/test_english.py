"""Who reads English reads English: over all pages, no Chinese but in data and in what is marked as Chinese."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import httpx
import pytest
from sqlalchemy import text

from app.database import Database
from app.logs import configure
from app.settings import Settings
from tests.web.apps import make_app
from tests.web.migrated import migrate
from tests.web.seed import fill as call_units
from tests.web.test_every_page import pages
from tools.screenshots_office import fill

CHINESE = re.compile("[\u3400-\u9fff]+")
CITED = re.compile(r"[（(].*?[)）]|《.*?》|“.*?”|转(?=\d)")
"""Chinese that English may name: in brackets, a title of a document, quoted words, an extension as it is written."""
DATA = re.compile(
    "通用开场语|通用结束语|元旦|春节|清明|劳动节|端午|中秋|国庆节|值班电话|名录|封存：|三员分立|超时接听|镇街|清空|"
    "(中性规则|宝鸡市|固原市|揭阳市|金湖县|石泉县).*"
)
"""Names that the product brings: prompts, holidays, the usual line, rule sets and a column of a workbook; the trail."""
SHOWN = ("title", "placeholder", "aria-label", "alt", "value", "label")
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
MORE = (
    "/checks/2", "/checks/3", "/checks/4", "/checks/5", "/checks/8", "/units/2", "/units/lines?q=0", "/plans/2",
    "/manual/2", "/units/found?q=a", "/checks?verdict=within", "/calendar/2026-10-01", "/reports/forms?unit=1",
    "/units/1/rosters/2026-11-26/duty", "/no-such-page", "/checks?after=x", "/phone-records/2", "/today?x=1",
)  # fmt: skip


def latin(words: str) -> str:
    """Data of an office that writes Latin letters."""
    return CHINESE.sub("Abc", words)


def chinese(words: str) -> bool:
    """Whether there is Chinese in it that should be English."""
    return CHINESE.search(DATA.sub("", CITED.sub("", words))) is not None


class Reader(HTMLParser):
    """Collects the Chinese that a page shows outside of what is marked `lang="zh-CN"`."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at what the tag itself shows."""
        held = dict(attrs)
        marked = tag in ("script", "style") or held.get("lang") == "zh-CN" or any(self._open[-1:])
        shown = [held[name] or "" for name in held if name in SHOWN or name.startswith("data-")]
        if not marked and held.get("type") != "hidden" and tag not in ("option", "button"):
            self.found += [f"<{tag}> {part}" for part in shown if chinese(part)]
        if tag not in VOID:
            self._open.append(marked)

    def handle_endtag(self, tag: str) -> None:
        """Leave the element."""
        if tag not in VOID and self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        """Look at words."""
        if not any(self._open[-1:]) and chinese(data):
            self.found.append(" ".join(data.split()))


@pytest.fixture
async def office(settings: Settings) -> Settings:
    """An office in full use, all of whose data is in Latin letters."""
    configure(settings)
    migrate(settings)
    async with Database(settings.url) as database:
        await call_units(database, settings)
        async with database.unit_of_work() as session:
            await session.execute(text("UPDATE units SET name = 'Unit ' || id, kind = 'office'"))
            await session.execute(text("UPDATE spot_checks SET reason = 'by order'"))
    await fill(settings, latin)
    return settings


async def test_english_pages_show_no_chinese(office: Settings) -> None:
    app = make_app(office)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    wrong: dict[str, list[str]] = {}
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        for path in (*pages(), *MORE):
            if path == "/live/stream":  # never ends
                continue
            for line in await chinese_of(client, path):
                wrong.setdefault(line, []).append(path)
    await app.state.database.close()
    assert wrong == {}


async def chinese_of(client: httpx.AsyncClient, path: str) -> list[str]:
    """The Chinese that stands on a page for who reads English."""
    async with client.stream("GET", path, headers={"Cookie": "dutyring_language=en"}) as answer:
        if not answer.headers.get("content-type", "").startswith("text/html"):
            return []
        page = (await answer.aread()).decode()
    reader = Reader()
    reader.feed(page)
    return list(dict.fromkeys(reader.found))
