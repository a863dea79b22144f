"""Evidence bundles of an order: what is in them, what is masked or left out, and that they verify offline."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import delete, select, text, update

from app import cli, clock
from app.accounts.models import AuditEvent
from app.answers.models import AnswerItem
from app.archive import open_archive
from app.checks.models import Attempt, CallFacts, Recording, StoredProposal, StoredVerdict
from app.database import Database
from app.settings import Settings, get_settings
from app.transcripts.models import Transcription
from app.trunks import service as trunks
from recordings import Archive
from recordings.bundle_check import check
from tests.web.bundles import SAID, UNIT, recorded, serving, sip_trace, transcribed
from tests.web.migrated import migrate
from tests.web.test_upgrade import connected


def unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def faults(data: bytes, folder: Path, key: Path | None = None) -> list[str]:
    path = folder / "b.zip"
    path.write_bytes(data)
    found = None if key is None else serialization.load_pem_public_key(key.read_bytes())
    assert found is None or isinstance(found, Ed25519PublicKey)
    return list(check(path, found))


async def attempt_of(database: Database) -> Attempt:
    async with database.reading() as session:
        return (await session.scalars(select(Attempt))).one()


async def lines(database: Database, action: str = "bundle") -> list[tuple[str, str, str]]:
    query = select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id)
    async with database.reading() as session:
        return [(row.who, row.subject, row.detail) for row in (await session.scalars(query)).all()]


class Page(HTMLParser):
    """The tags and the text of a page, its links, and whether anything in it could run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            if name in ("href", "src"):
                self.links.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_a_bundle_of_an_order(either_settings: Settings, either: Database, tmp_path: Path) -> None:
    recording = await recorded(either, either_settings)
    await transcribed(either, recording)
    sip_trace(either_settings, await attempt_of(either))
    async with serving(either_settings) as client:
        answer = await client.get("/checks/1/bundle")
        one = await client.get("/attempts/1/bundle")
        assert (await client.get("/checks/99/bundle")).status_code == 404
        assert (await client.get("/attempts/99/bundle")).status_code == 404
    assert answer.headers["content-type"] == "application/zip"
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith("attachment; filename=\"check-000001.zip\"; filename*=UTF-8''")
    name = unquote(disposition.partition("UTF-8''")[2])
    assert name.startswith("证据包-check-000001-云溪县_b_")
    assert not set(name) & set("/<>\"'&\u202e:\\")
    files = unpacked(answer.content)
    key = either_settings.data_dir / "manifest.pub"
    assert faults(answer.content, tmp_path, key) == []
    assert faults(one.content, tmp_path, key) == []
    archive = open_archive(either_settings)
    assert files["attempt-1/recording.flac"] == archive.read(recording.path)
    assert json.loads(files["check.json"])["unit"]["name"] == UNIT
    assert json.loads(files["attempt-1/facts.json"])["schema"] == "dutyring.call/1"
    assert json.loads(files["attempt-1/transcript.json"])["channels"]["them"]["utterances"][0]["text"] == SAID
    assert f"00:06.400–00:08.900  对方 them：{SAID}" in files["attempt-1/transcript.txt"].decode()
    assert json.loads(files["proposal.json"])["rule_set"]
    assert json.loads(files["attempt-1/verdict.json"])["code"] == "within"
    assert files["attempt-1/sip-trace.txt"].startswith(b"INVITE")
    assert json.loads(files["bundle.json"])["missing"] == []
    assert await lines(either) == [
        ("李值班", "check:1", "attempts 1"),
        ("李值班", f"recording:{recording.id}", "check:1"),
        ("李值班", "attempt:1", "attempts 1"),
        ("李值班", f"recording:{recording.id}", "attempt:1"),
    ]


async def test_its_page_is_safe_and_leads_to_the_moments(settings: Settings, database: Database) -> None:
    recording = await recorded(database, settings)
    await transcribed(database, recording, "<script>alert(1)</script>“您好”")
    async with serving(settings) as client:
        files = unpacked((await client.get("/checks/1/bundle")).content)
    page = Page(files["index.html"].decode())
    assert not {"script", "iframe", "object", "b", "form", "img", "link"} & set(page.tags)
    assert UNIT in page.text
    assert "<script>alert(1)</script>“您好”" in page.text
    assert "attempt-1/recording.flac#t=5.900" in page.links
    assert recording.sha256 in page.text
    for link in page.links:
        assert link.partition("#")[0] in files
    assert "信令全文" in page.text
    assert "未保存" in page.text


async def test_a_withdrawn_call_has_neither_sound_nor_words(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    recording = await recorded(database, settings)
    await transcribed(database, recording)
    secret = "第十七号文件"
    async with database.unit_of_work() as session:
        facts = (await session.scalars(select(CallFacts))).one()
        told = {"road": "words", "detail": f"words: “{secret}” (x)"}
        content = facts.content | {
            "transcript": {"text": secret},
            "announcements": [told],
            "answerer": [{"detail": f"says {secret}"}],
        }
        await session.execute(update(CallFacts).values(content=content))
        await session.execute(delete(AnswerItem))
        await session.execute(update(Transcription).values(state="withdrawn", content=None))
        gone = {"gone_at": clock.now(), "gone_why": "withdrawn", "gone_by": "李"}
        await session.execute(update(Recording).values(**gone))
    archive = open_archive(settings)
    archive.erase(recording.path, recording.sha256, "withdrawn", "涉密", "李")
    async with serving(settings) as client:
        data = (await client.get("/checks/1/bundle")).content
    files = unpacked(data)
    assert faults(data, tmp_path) == []
    assert not any(
        name.endswith((".flac", "transcript.json", "transcript.txt", "answers.json")) for name in files
    )
    for body in files.values():
        assert secret not in body.decode("utf-8", "replace")
        assert SAID not in body.decode("utf-8", "replace")
    statement = json.loads(files["bundle.json"])
    assert statement["recordings"][0]["gone"]["why"] == "withdrawn"
    assert statement["recordings"][0]["sha256"] == recording.sha256
    assert {"attempt": 1, "what": "sound", "why": "withdrawn"} in statement["missing"]
    assert "已封存：录音、文字、索引和副本均已撤下" in files["index.html"].decode()
    assert [subject for _, subject, _ in await lines(database)] == ["check:1"]


async def test_answer_keys_are_masked_everywhere(settings: Settings, database: Database) -> None:
    key = "83217764"
    recording = await recorded(database, settings)
    await transcribed(database, recording, f"请报{key}，或者八三二一七七六四")
    sip_trace(settings, await attempt_of(database), f"P-Asserted-Identity: <tel:{key}>\r\n")
    async with database.unit_of_work() as session:
        await trunks.add_number(session, "answer_key", key, "市府")
    async with serving(settings) as client:
        data = (await client.get("/checks/1/bundle")).content
    for name, body in unpacked(data).items():
        if not name.endswith((".flac", ".sig")):
            assert key not in body.decode(), name
            assert "八三二一七七六四" not in body.decode(), name
    assert "请报＊＊＊＊＊＊＊＊" in unpacked(data)["attempt-1/transcript.txt"].decode()


async def test_what_is_withdrawn_while_a_bundle_is_gathered_leaves_in_none(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await recorded(database, settings)

    def withdrawn_meanwhile(given: Settings) -> Archive:
        with connected(given) as connection:
            connection.execute(text("UPDATE recordings SET gone_why = 'withdrawn'"))
        return open_archive(given)

    monkeypatch.setattr("app.evidence.bundle.open_archive", withdrawn_meanwhile)
    async with serving(settings) as client:
        refused = await client.get("/checks/1/bundle")
        assert (refused.status_code, "重新导出" in refused.text) == (409, True)
        assert await lines(database) == []
        assert (await client.get("/checks/1/bundle")).status_code == 200


async def test_a_sound_that_is_not_what_it_was_stays_out(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    recording = await recorded(database, settings)
    path = settings.recordings_dir / recording.path
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.chmod(0o640)
    path.write_bytes(changed)
    async with serving(settings) as client:
        files = unpacked((await client.get("/checks/1/bundle")).content)
        path.unlink()
        without = unpacked((await client.get("/checks/1/bundle")).content)
    assert {"attempt": 1, "what": "sound", "why": "changed"} in json.loads(files["bundle.json"])["missing"]
    assert "录音文件与登记的哈希不符" in files["index.html"].decode()
    assert {"attempt": 1, "what": "sound", "why": "lost"} in json.loads(without["bundle.json"])["missing"]


async def test_what_another_version_stored_is_shown_as_far_as_it_goes(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    await recorded(database, settings)
    async with database.unit_of_work() as session:
        await session.execute(update(CallFacts).values(content={}))
        await session.execute(
            update(StoredVerdict).values(content={"findings": [{"code": "x", "clauses": [{}]}]})
        )
        await session.execute(update(StoredProposal).values(content={}))
    async with serving(settings) as client:
        answer = await client.get("/checks/1/bundle")
    assert answer.status_code == 200
    assert faults(answer.content, tmp_path) == []


async def test_no_bundle_while_a_call_is_under_way(settings: Settings, database: Database) -> None:
    await recorded(database, settings)
    async with database.unit_of_work() as session:
        await session.execute(update(Attempt).values(state="connected"))
    async with serving(settings) as client:
        answer = await client.get("/checks/1/bundle")
    assert (answer.status_code, answer.json()["detail"]) == (409, "通话尚未结束，结束后才能导出证据包")
    assert await lines(database) == []


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["evidence-bundle", *arguments])
    return int(ended.value.code or 0)


def test_on_the_command_line(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    migrate(settings)
    monkeypatch.setenv("DUTYRING_DATA_DIR", str(settings.data_dir))

    async def fill() -> None:
        async with Database(settings.url) as database:
            await recorded(database, settings)

    asyncio.run(fill())
    get_settings.cache_clear()
    out, key = tmp_path / "out.zip", settings.data_dir / "manifest.pub"
    try:
        assert run("make", "1", "--out", str(out), "--by", "王督查") == 0
        told = capsys.readouterr()
        assert "check:1" in told.out
        assert "without the transcript of call 1: " in told.err
        assert out.stat().st_mode & 0o777 == 0o600
        assert run("make", "99", "--out", str(tmp_path / "none.zip")) == 1
        assert run("make", "1", "--out", str(tmp_path / "no" / "folder.zip")) == 2
        assert run("make", "1", "--attempt", "7", "--out", str(tmp_path / "none.zip")) == 1
        assert sorted(path.name for path in tmp_path.glob("*.zip")) == ["out.zip"]
    finally:
        get_settings.cache_clear()
    monkeypatch.setenv("DUTYRING_DATA_DIR", "/nowhere/at/all")
    capsys.readouterr()
    assert run("check", str(out)) == 0
    assert run("check", str(out), "--key", str(key)) == 0
    assert "holds, checked against the key given" in capsys.readouterr().out
    changed = bytearray(out.read_bytes())
    changed[changed.index(b"fLaC") + 900] ^= 1
    out.write_bytes(changed)
    assert run("check", str(out), "--json") == 1
    assert json.loads(capsys.readouterr().out)["faults"] == ["attempt-1/recording.flac: was changed"]
    assert run("check", str(tmp_path / "absent.zip")) == 2
    assert run("check", str(out), "--key", str(out)) == 2
