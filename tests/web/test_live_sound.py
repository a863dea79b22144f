"""A call of the real phone process while it lasts: what the board says of it, what a listener hears, hanging it up."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from sqlalchemy import text

from app.checks import by_hand, live_board, service
from app.checks.live_board import Seen
from app.checks.models import Attempt
from app.checks.service import recording_name
from app.database import Database
from app.directory import service as directory
from app.errors import BadInputError, ConflictError, NotFoundError
from app.listening import live
from app.listening.live_sound import HEADER, LiveSound, Stereo, pack
from app.settings import Settings
from sip.media.capture import Block
from sip.media.capture_header import pack_header
from sip.media.g711 import encode
from tests.web.test_ledger import order
from tests.web.test_real_phone import World, world

__all__ = ["world"]
RINGS_THEN_TALKS = "11"


def unpacked(piece: bytes) -> tuple[int, Stereo]:
    _, position, count = HEADER.unpack_from(piece)
    sound = np.frombuffer(piece, "<i2", offset=HEADER.size).reshape(-1, 2)
    assert len(sound) == count
    return position, sound


@pytest.mark.timeout(120)
async def test_what_is_heard_is_the_call_and_one_call_is_hung_up(world: World) -> None:
    (check_id,) = await order(world.database, await world.line(RINGS_THEN_TALKS))
    attempt = await world.until_state(check_id, "ringing")
    name = recording_name(attempt)
    pieces: list[tuple[int, Stereo]] = []
    seen: list[Seen] = []

    async def listen() -> None:
        async for piece in live.sound(world.database, world.settings, attempt):
            pieces.append(unpacked(piece))
            found = live_board.read(world.settings).get(name)
            if found is not None:
                seen.append(found)

    async with world.database.unit_of_work() as session:
        await live.begin(session, attempt.id, "李值守")
    listening = asyncio.create_task(listen())
    await world.until_state(check_id, "connected")
    await asyncio.sleep(1.5)
    async with world.database.unit_of_work() as session:
        await by_hand.hang_up(session, attempt.id, "打错了", "李值守")
    over = await world.until_state(check_id, "finished")
    await asyncio.wait_for(listening, 20)
    assert over.verdict_code == "cancelled"

    # The board: it rang, once at least, before somebody answered.
    assert {"ringing", "answered"} <= {one.phase for one in seen}
    assert max(one.rings or 0 for one in seen if one.phase == "ringing") >= 1
    talking = next(one for one in seen if one.phase == "answered")
    assert talking.ring_from is not None
    assert talking.answered_at is not None
    assert talking.answered_at - talking.ring_from == pytest.approx(4.0, abs=0.3)

    # The sound: one piece after the other, and sample for sample what was recorded.
    assert over.recording is not None
    recorded, _ = sf.read(world.settings.recordings_dir / over.recording.path, dtype="int16")
    follows = pieces[0][0]
    for position, sound in pieces:
        assert position == follows
        follows = position + len(sound)
    heard = np.concatenate([sound for _, sound in pieces])[: len(recorded) - pieces[0][0]]
    assert len(heard) > 3 * 8000
    assert np.array_equal(heard, recorded[pieces[0][0] :][: len(heard)])
    assert heard[:, 1].any()

    async with world.database.reading() as session:
        audited = (
            await session.execute(text("SELECT who, action, subject FROM audit_events ORDER BY id"))
        ).all()
    subject = f"attempt:{attempt.id}"
    assert {("李值守", "listen_in", subject), ("李值守", "hang_up", subject)} <= {
        tuple(row) for row in audited
    }
    assert any(event.state == "hang_up" and "打错了" in event.detail for event in over.events)


def capture(path: Path, *blocks: Block, began_at: float = 1000.0) -> None:
    with path.open("ab") as file:
        if not file.tell():
            file.write(pack_header(began_at))
        for block in blocks:
            file.write(block.pack())


def codes(value: int, count: int) -> bytes:
    return encode(np.full(count, value, np.int16), "PCMA")


def test_both_sides_come_together_and_nothing_comes_before_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "call.part"
    with LiveSound(path) as ear:
        assert len(ear.read()[1]) == 0
        capture(path, Block("heard", 0, "PCMA", codes(800, 160)), Block("sent", 80, "PCMA", codes(-800, 160)))
        assert len(ear.read()[1]) == 0
        capture(path, Block("alive", 160))
        position, sound = ear.read()
        assert (position, len(sound), ear.began_at) == (0, 160, 1000.0)
        assert (sound[:, 1] > 700).all()
        assert (sound[:80, 0] == 0).all()
        assert (sound[80:, 0] < -700).all()
        # What is cut off in the middle is read when it is whole.
        data = Block("heard", 160, "PCMA", codes(800, 80)).pack() + Block("ended", 240).pack()
        with path.open("ab") as file:
            file.write(data[:50])
            file.flush()
            assert len(ear.read()[1]) == 0
            file.write(data[50:])
        position, sound = ear.read()
        assert (position, len(sound), ear.ended) == (160, 80, True)
        assert (sound[:, 0] < -700).all()
        assert unpacked(pack(5.0, position, sound))[0] == 160


def test_a_listener_begins_at_the_present_and_follows_to_another_destination(tmp_path: Path) -> None:
    path = tmp_path / "call.part"
    capture(
        path, Block("heard", 0, "PCMU", encode(np.zeros(80_000, np.int16), "PCMU")), Block("alive", 80_000)
    )
    with LiveSound(path) as ear:
        position, sound = ear.read()
        assert (position, len(sound)) == (79_200, 800)
        os.truncate(path, 0)
        capture(path, Block("heard", 0, "PCMA", codes(800, 160)), Block("alive", 170), began_at=2000.0)
        position, sound = ear.read()
        assert (position, len(sound), ear.began_at) == (0, 160, 2000.0)
        # The recording is made and the capture deleted: what is left can still be heard.
        path.unlink()
        assert len(ear.read()[1]) == 0


def test_the_board_is_of_a_phone_that_lives(settings: Settings) -> None:
    assert live_board.read(settings) == {}
    live_board.publish(settings, {"2026/01/01/check-1-attempt-1": Seen("ringing", 10.0, 12.5, 2, "ringback")})
    assert live_board.read(settings)["2026/01/01/check-1-attempt-1"].rings == 2
    board = live_board.folder_of(settings) / "board.json"
    assert board.stat().st_mode & 0o077 == 0
    board.write_text(board.read_text().replace('"at": ', '"at": 1.5e1, "was": '))
    assert live_board.read(settings) == {}
    for rubbish in ("", "[]", '{"at": 9e99}', '{"at": null}', '{"at": 1, "calls": {"x": {"colour": 1}}}'):
        board.write_text(rubbish)
        assert live_board.read(settings) == {}


def test_who_listens_is_forgotten_after_a_while(settings: Settings) -> None:
    assert live_board.heard_now(settings) == frozenset()
    live_board.want_to_hear(settings, "2026/01/01/check-1-attempt-1")
    assert live_board.heard_now(settings) == {"check-1-attempt-1"}
    sign = live_board.folder_of(settings) / "check-1-attempt-1.heard"
    os.utime(sign, (1.0, 1.0))
    assert live_board.heard_now(settings) == frozenset()
    assert not sign.exists()


async def test_only_calls_under_way_are_listened_to_and_hung_up(either: Database) -> None:
    async with either.unit_of_work() as session:
        with pytest.raises(NotFoundError):
            await live.begin(session, 7, "李")
        with pytest.raises(NotFoundError):
            await by_hand.hang_up(session, 7, "因", "李")
    check_id = await _concluded(either)
    async with either.unit_of_work() as session:
        with pytest.raises(ConflictError):
            await live.begin(session, check_id, "李")
        with pytest.raises(ConflictError):
            await by_hand.hang_up(session, check_id, "因", "李")
        for words in (" ", "字" * 501):
            with pytest.raises(BadInputError):
                await by_hand.add_note(session, check_id, words, "李")
        await by_hand.add_note(session, check_id, "对方说是保安", "李值守")
    async with either.reading() as session:
        assert await by_hand.notes(session, [check_id]) == {check_id: ["备注（李值守）：对方说是保安"]}


async def _concluded(database: Database) -> int:
    async with database.unit_of_work() as session:
        unit = await directory.add_unit(session, "a", "甲")
        line = await directory.add_line(session, unit, "1", "sip:1@127.0.0.1")
        check = await service.order_now(session, line, "指定抽查")
        attempt = Attempt(
            check_id=check.id, line_id=line.id, unit_id=unit.id, target="x", state="finished", owner="o",
            claimed_at=check.created_at,
        )  # fmt: skip
        session.add(attempt)
        await session.flush()
        return attempt.id
