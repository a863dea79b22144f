"""Test calls (试呼): a short call by one trunk to a telephone of the operator's own, to see whether the trunk carries.

It is asked for on the page of the trunks or over the API, and placed by the phone process (`app.trunks.trials_desk`).
It is no check: nothing is recorded, it makes no attempt, no verdict and no figure. What may not be dialled otherwise is
not dialled by it either, and the lines of the directory are checked, not tested. Verbs never commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import unicodedata
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.checks import stops
from app.directory.numbers import needs_main
from app.errors import BadInputError, ConflictError, Fault, NotFoundError, UnavailableError
from app.evidence.sight import masked_number
from app.policy import AnswerKeysError, Stored, dial_policy
from app.settings import Settings
from app.trunks import trials_repository as repository
from app.trunks.merge import OurTrunk, merged, usable
from app.trunks.models import TEST_LIVE, TrunkTest
from app.trunks.records import read
from sip.dialled import OUTSIDE_DIGITS, callees_in, listed
from sip.guard import NeverDialledError, refuse_emergency
from sip.numbers import NumberError, parse_number, split_extension
from sip.record import CallRecord
from sip.targets import is_uri
from sip.trunks import Trunk

NUMBER_LENGTH = 40
MOST_AN_HOUR = 20
"""Test calls of the office within an hour, by all trunks together."""
TAKEN_WITHIN = timedelta(seconds=60)
"""What no phone process has taken by then is withdrawn."""
OVER_WITHIN = timedelta(minutes=5)
"""A phone process that has taken one and says nothing for so long is dead."""
KEPT = timedelta(days=180)
WHY = (
    "phone_not_running", "stopped", "never_dialled", "directory", "no_trunk", "phone_ended", "own_error",
)  # fmt: skip
"""Why one did not run its course."""
MOST_ERRORS, LONGEST_ERROR = 10, 300


async def check(session: AsyncSession, settings: Settings, trunk: str, number: str) -> str:
    """Return the number as it will be dialled by a trunk that may be tested with it.

    It reads thousands of numbers and only reads: no writer, a call under way least of all, should wait for it. Raises
    `BadInputError` for what must not be dialled, `NotFoundError`, `ConflictError` and `UnavailableError`.
    """
    plain = plain_number(number)
    stored = await read(session)
    ours = merged(settings, stored.trunks)
    tested = _usable_trunk(settings, ours, trunk)
    if await is_of_directory(session, settings, ours, trunk, plain):
        reason = (
            "这是单位名录中的值班电话：请用指定抽查或核号"
            " (this is a line of the directory: such lines are checked, not tested)"
        )
        raise BadInputError(reason, [Fault("number", "is a line of the directory")])
    await asyncio.to_thread(_refuse_by_policy, settings, stored, ours, tested, plain)
    return plain


async def ask(session: AsyncSession, trunk: str, plain: str, who: str) -> TrunkTest:
    """Ask for a test call of a trunk with a number that `check` gave. Raises `ConflictError`."""
    if await is_stopped(session):
        raise ConflictError("全部单位紧急停拨中，不能试呼 (all calls are stopped: no test call either)")
    await repository.lock(session)
    await close_stale(session)
    await _refuse_too_many(session, trunk)
    row = TrunkTest(trunk=trunk, target=plain, asked_by=who, asked_at=clock.now(), snapshots={})
    session.add(row)
    await session.flush()
    await audit.record(session, "ask_test_call", f"trunk:{trunk}", masked_number(plain), who)
    return row


def plain_number(text: str) -> str:
    """Return a number as it will be dialled. Raises `BadInputError` for anything else, and for emergency numbers."""
    plain = unicodedata.normalize("NFKC", text).strip()
    reason = "请填写电话号码，不带分机 (it takes a telephone number without an extension)"
    try:
        if not plain or len(plain) > NUMBER_LENGTH or is_uri(plain):
            raise NumberError(plain)
        number, extension = split_extension(plain)
        if extension is not None:
            raise NumberError(plain)
        parse_number(number)
    except NumberError:
        raise BadInputError(reason, [Fault("number", "takes a telephone number")]) from None
    try:
        refuse_emergency(plain)
    except NeverDialledError as error:
        reason = "紧急电话一律不得拨打 (emergency numbers are never dialled)"
        raise BadInputError(reason, [Fault("number", "is an emergency number")]) from error
    return plain


def _usable_trunk(settings: Settings, ours: list[OurTrunk], name: str) -> OurTrunk:
    found = next((one for one in ours if one.name == name and not one.shadowed), None)
    if found is None:
        raise NotFoundError("没有这条中继 (there is no such trunk)")
    if not found.in_use:
        raise ConflictError("中继已停用 (the trunk is not in use)")
    if usable(settings, [found])[1]:
        raise ConflictError("中继的设置有误 (the settings of the trunk are wrong)")
    return found


async def is_stopped(session: AsyncSession) -> bool:
    """Whether a stop of every unit holds."""
    return any(stop.unit_id is None for stop in await stops.standing(session))


async def is_of_directory(
    session: AsyncSession, settings: Settings, ours: list[OurTrunk], trunk: str, number: str
) -> bool:
    """Whether a number may be that of a unit's line: as it is typed or leaves, in any writing, of any area of ours."""
    lines = await repository.line_numbers(session)
    entries = frozenset(split_extension(text)[0] for text in lines if not needs_main(text))
    tested = [one for one in usable(settings, ours)[0] if one.name == trunk]
    return await asyncio.to_thread(_may_name, entries, ours, {number, *_leaving(tested, number)})


def _leaving(trunks: list[Trunk], number: str) -> Iterator[str]:
    for trunk in trunks:
        # What cannot be rewritten does not leave: the call says so.
        with contextlib.suppress(NumberError):
            yield trunk.numbers.rewrite(number)


def _may_name(entries: frozenset[str], ours: list[OurTrunk], numbers: set[str]) -> bool:
    outside = {*OUTSIDE_DIGITS, *(one.config.access_code for one in ours)} - {""}
    areas = {one.config.area_code for one in ours} | {None}
    return any(
        listed(entries, area).may_have(callee)
        for area in areas
        for number in numbers
        for code in ("", *outside)
        for callee in callees_in(number, area, code, outside)
    )


def _refuse_by_policy(
    settings: Settings, stored: Stored, ours: list[OurTrunk], tested: OurTrunk, number: str
) -> None:
    """Refuse what the phone would refuse; it looks once more, at the number as it leaves too."""
    try:
        policy = dial_policy(settings, stored, usable(settings, ours)[0])
        policy.check(number, access_code=tested.config.access_code)
    except AnswerKeysError as error:
        raise UnavailableError(
            "答案号码文件无法读取，暂不能拨打 (the file of the answer keys cannot be read: nothing is dialled)"
        ) from error
    except NeverDialledError as error:
        # One sentence for all of them: it must not tell which numbers are answer keys.
        reason = (
            "该号码不在准许经中继拨打之列：请先在服务器上用 dutyring numbers add allow 登记本人的电话"
            " (not among the numbers that trunks may be asked for: enter your own telephone first,"
            " dutyring numbers add allow)"
        )
        raise BadInputError(reason, [Fault("number", "may not be dialled")]) from error


async def _refuse_too_many(session: AsyncSession, trunk: str) -> None:
    if any(row.trunk == trunk for row in await repository.standing(session)):
        raise ConflictError(
            "这条中继的上一次试呼还没有结束 (the test call before is not over yet on this trunk)"
        )
    if await repository.asked_since(session, clock.now() - timedelta(hours=1)) >= MOST_AN_HOUR:
        raise ConflictError(
            f"一小时内最多试呼 {MOST_AN_HOUR} 次 (at most {MOST_AN_HOUR} test calls are made within an hour)"
        )


def state_of(row: TrunkTest) -> tuple[str, str]:
    """State of a test call at this moment, and why: one that nobody takes is withdrawn, written down or not."""
    now = clock.now()
    if row.state == "waiting" and row.asked_at + TAKEN_WITHIN < now:
        return "withdrawn", "phone_not_running"
    if row.state in TEST_LIVE and row.taken_at is not None and row.taken_at + OVER_WITHIN < now:
        return "interrupted", "phone_ended"
    return row.state, row.why


async def close_stale(session: AsyncSession) -> None:
    """Write down what `state_of` says of those that nobody took, or whose phone process is dead."""
    for row in await repository.standing(session):
        state, why = state_of(row)
        if state != row.state:
            await repository.change(session, row.id, (row.state,), state=state, why=why, ended_at=clock.now())


async def is_now_of_directory(session: AsyncSession, settings: Settings, row: TrunkTest) -> bool:
    """Whether the number of a test call that waits has become that of a unit's line."""
    ours = merged(settings, (await read(session)).trunks)
    return await is_of_directory(session, settings, ours, row.trunk, row.target)


async def take(session: AsyncSession, test_id: int, owner: str, *, of_directory: bool) -> TrunkTest | None:
    """Take a test call that waits, for a phone process; None where it is not placed, for a reason written down."""
    row = await repository.trial(session, test_id)
    if row is None or row.state != "waiting":
        return None
    state, why = state_of(row)
    if state == "waiting" and await is_stopped(session):
        state, why = "withdrawn", "stopped"
    elif state == "waiting" and of_directory:
        state, why = "refused", "directory"
    now = clock.now()
    if state != "waiting":
        await repository.change(session, test_id, ("waiting",), state=state, why=why, ended_at=now)
        return None
    values = {"state": "dialling", "owner": owner, "taken_at": now}
    return row if await repository.change(session, test_id, ("waiting",), **values) else None


async def journal(session: AsyncSession, test_id: int, snapshot: dict[str, Any], state: str) -> bool:
    """Write down the dialog as the phone sees it; return whether the test call is still under way."""
    row = await repository.trial(session, test_id)
    if row is None or row.state not in TEST_LIVE:
        return False
    row.snapshots = {**row.snapshots, str(snapshot.get("position", 0)): snapshot}
    row.state = state
    await session.flush()
    return True


async def conclude(
    session: AsyncSession,
    test_id: int,
    state: str,
    why: str = "",
    result: dict[str, Any] | None = None,
    *,
    released: bool = True,
) -> None:
    """Write how a test call ended; nothing where that was written before. `released`: no far end is left to be told."""
    now = clock.now()
    values = {"state": state, "why": why, "result": result, "ended_at": now}
    await repository.change(session, test_id, TEST_LIVE, **values, released_at=now if released else None)


async def release(session: AsyncSession, test_id: int) -> None:
    """Note that the far ends of an interrupted one have nothing more to be told."""
    row = await repository.trial(session, test_id)
    if row is not None:
        row.released_at = clock.now()


def result_of(record: CallRecord) -> dict[str, Any]:
    """What is kept of a call: how the trunk carried it, and nothing of what was said."""
    media = record.media
    segments = (*record.early_media.segments, *record.after_answer.segments)
    sounded = any(segment.kind != "silence" for segment in segments)
    return {
        "outcome": record.outcome,
        "sip_status": record.sip_status,
        "sip_reason": None if record.sip_reason is None else record.sip_reason[:LONGEST_ERROR],
        "post_dial_delay_ms": _rounded(record.post_dial_delay_ms),
        "ring_to_answer_ms": _rounded(record.ring_to_answer_ms),
        "codec": media.codec,
        "packets_received": media.received,
        "packets_lost": media.lost,
        "packets_sent": media.sent,
        "jitter_ms": _rounded(media.jitter_ms),
        "incoming_sound": "none" if media.received == 0 else "sound" if sounded else "silence",
        "our_failure": record.our_failure,
        "errors": [text[:LONGEST_ERROR] for text in record.errors[:MOST_ERRORS]],
        "alarms": list(record.alarms),
    }


def _rounded(value_ms: float | None) -> float | None:
    return None if value_ms is None else round(value_ms, 1)


async def purge_old(session: AsyncSession, now: datetime) -> int:
    """Close what is stale and delete what is older than 180 days; return how many went."""
    await close_stale(session)
    count = await repository.forget(session, now - KEPT)
    if count:
        await audit.record(session, "purge_test_calls", "trunk", f"{count} test calls")
    return count
