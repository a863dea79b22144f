"""Verbs of trunks and of the dial policy's numbers. They never commit: the caller's unit of work does."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import service as audit
from app.trunk_settings import TrunkConfig, check_trunk
from app.trunks import repository
from app.trunks.models import PolicyNumber, TrunkEvent, TrunkRecord, TrunkState
from sip.guard import DialPolicy
from sip.numbers import parse_number, split_extension

NAME_LENGTH = NUMBER_LENGTH = 64
LABEL_LENGTH = 120
UNKNOWN = "unknown"
ALIVE_S = 20.0
"""How often a phone says that it is still there."""
SILENCE = timedelta(seconds=3 * ALIVE_S)
"""After so long nobody knows how a trunk is."""
_STATE_EVENTS = {"up": "up", "down": "down", "stopped": "stopped"}


class UnknownError(LookupError):
    """There is no such record."""


class PresentError(ValueError):
    """There is one already."""


class LabelError(ValueError):
    """A number's label cannot be kept."""


@dataclass(frozen=True, slots=True)
class Standing:
    """An alarm that stands against a trunk."""

    kind: str
    since: datetime
    detail: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return it as it is stored."""
        return {"kind": self.kind, "since": self.since.isoformat(), "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Said:
    """What the phone says of a trunk at one moment."""

    name: str
    state: str
    at: datetime
    registered_until: datetime | None = None
    calls: int = 0
    alarms: tuple[Standing, ...] = ()
    detail: str = ""


async def add(
    session: AsyncSession, name: str, config: TrunkConfig, *, enabled: bool = True, who: str = audit.LOCAL
) -> TrunkRecord:
    """Enter a trunk. Raises `PresentError`, and `TrunkMemberError` for what cannot be used."""
    if not name or len(name) > NAME_LENGTH or not name.isprintable() or name.strip() != name:
        raise ValueError(f"it takes a name of at most {NAME_LENGTH} printable characters")
    check_trunk(name, config)
    if await repository.record(session, name) is not None:
        raise PresentError(f"there is a trunk {name!r} already")
    now = datetime.now(UTC)
    row = TrunkRecord(
        name=name,
        enabled=enabled,
        position=config.priority,
        config=config.model_dump(mode="json", exclude={"enabled", "priority"}, exclude_unset=True),
        created_at=now,
        changed_at=now,
    )
    session.add(row)
    await session.flush()
    await audit.record(session, "add", f"trunk:{name}", who=who)
    return row


async def remove(session: AsyncSession, name: str, who: str = audit.LOCAL) -> None:
    """Take a trunk out; what happened to it stays. Raises `UnknownError`."""
    await session.delete(await _record(session, name))
    await session.flush()
    await audit.record(session, "remove", f"trunk:{name}", who=who)


async def enable(session: AsyncSession, name: str, enabled: bool, who: str = audit.LOCAL) -> None:
    """Let calls use a trunk, or no more. Raises `UnknownError`."""
    row = await _record(session, name)
    if row.enabled != enabled:
        row.enabled, row.changed_at = enabled, datetime.now(UTC)
    await session.flush()
    await audit.record(session, "enable" if enabled else "disable", f"trunk:{name}", who=who)


def config_of(row: TrunkRecord) -> TrunkConfig:
    """Read a record as the settings would hold it."""
    return TrunkConfig.model_validate(row.config | {"enabled": row.enabled, "priority": row.position})


async def begin(session: AsyncSession, names: Sequence[str]) -> None:
    """A phone has started with these trunks: nothing is known of them, and nothing of any others."""
    await repository.forget_states(session, names)
    now = datetime.now(UTC)
    for name in names:
        await observe(session, Said(name, "starting", now))


async def end(session: AsyncSession, names: Sequence[str]) -> None:
    """The phone has stopped: nothing is known of its trunks any more."""
    now = datetime.now(UTC)
    for name in names:
        await observe(session, Said(name, "stopped", now))


async def observe(session: AsyncSession, said: Said) -> None:
    """Keep what the phone says of a trunk, and what has changed by it as events."""
    row = await repository.state(session, said.name)
    if row is None:
        row = TrunkState(name=said.name, state="", since=said.at, told_at=said.at, alarms=[])
        session.add(row)
    for kind, alarm, detail in _changes(row, said):
        session.add(TrunkEvent(trunk=said.name, at=said.at, kind=kind, alarm=alarm, detail=detail))
    _take(row, said)
    await session.flush()


def state_of(said: Said) -> TrunkState:
    """Return what is said as a row would hold it, for whoever shows it without keeping it."""
    row = TrunkState(name=said.name, state="", since=said.at, told_at=said.at, alarms=[])
    _take(row, said)
    return row


def _take(row: TrunkState, said: Said) -> None:
    if row.state != said.state:
        row.state, row.since = said.state, said.at
    row.told_at = said.at
    row.registered_until = said.registered_until
    row.calls = said.calls
    row.detail = said.detail
    row.alarms = [alarm.to_dict() for alarm in said.alarms]


async def alive(session: AsyncSession, names: Sequence[str]) -> None:
    """The phone is there and has nothing new to say of these trunks."""
    await repository.touch_states(session, names, datetime.now(UTC))


def known_state(row: TrunkState | None, now: datetime) -> str:
    """What a trunk's state is at this moment: `unknown` where no phone has spoken of it for a while."""
    if row is None or now - row.told_at > SILENCE:
        return UNKNOWN
    return row.state


def _changes(row: TrunkState, said: Said) -> Iterator[tuple[str, str | None, str]]:
    """Kind, alarm and detail of each event by which `row` becomes what is said."""
    kind = _STATE_EVENTS.get(said.state)
    if kind is not None and said.state != row.state:
        yield kind, None, said.detail
    if said.state in ("starting", "stopped"):
        # A phone that begins or ends knows nothing of alarms: it neither raises nor clears one.
        return
    if (row.registered_until is None) != (said.registered_until is None):
        yield ("unregistered" if said.registered_until is None else "registered"), None, ""
    before, now = {alarm["kind"] for alarm in row.alarms}, {alarm.kind for alarm in said.alarms}
    for alarm in said.alarms:
        if alarm.kind not in before:
            yield "alarm_raised", alarm.kind, alarm.detail
    for gone in sorted(before - now):
        yield "alarm_cleared", gone, ""


async def add_number(
    session: AsyncSession, kind: str, text: str, label: str = "", who: str = audit.LOCAL
) -> PolicyNumber:
    """Enter a number of the dial policy.

    Raises `PresentError`, `LabelError`, and `ValueError` for what is no number.
    """
    if len(label) > LABEL_LENGTH or not label.isprintable():
        raise LabelError(f"it takes at most {LABEL_LENGTH} printable characters")
    plain = one_form(kind, text)
    if await repository.number(session, kind, plain) is not None:
        raise PresentError("the number is there already")
    row = PolicyNumber(kind=kind, number=plain, label=label, created_at=datetime.now(UTC))
    session.add(row)
    await session.flush()
    await audit.record(session, f"add {kind}", f"number:{row.id}", who=who)
    return row


async def remove_number(session: AsyncSession, kind: str, text: str, who: str = audit.LOCAL) -> None:
    """Take a number out. Raises `UnknownError`, and `ValueError` for what is no number."""
    row = await repository.number(session, kind, one_form(kind, text))
    if row is None:
        raise UnknownError("there is no such number")
    subject = f"number:{row.id}"
    await session.delete(row)
    await session.flush()
    await audit.record(session, f"remove {kind}", subject, who=who)


def one_form(kind: str, text: str) -> str:
    """Return a number, or the pattern of a denied one, in one writing; the error does not show it.

    Raises `ValueError` that says what it takes.
    """
    try:
        if len(text) > NUMBER_LENGTH:
            raise ValueError(kind)
        if kind == "deny":
            pattern = "".join(sign for sign in unicodedata.normalize("NFKC", text) if sign not in " -().")
            DialPolicy(deny=(pattern,))
            return pattern
        return parse_number(split_extension(text)[0]).key
    except ValueError:
        takes = "digits such as 0917-3262000"
        if kind == "deny":
            takes = "a pattern: digits, ? for any digit, * at the end for any rest, such as 168* or +852*"
        raise ValueError(f"that is no number; it takes {takes}") from None


def masked(number: str) -> str:
    """Show of a secret number its last two digits."""
    return "…" + number[-2:]


async def _record(session: AsyncSession, name: str) -> TrunkRecord:
    row = await repository.record(session, name)
    if row is None:
        raise UnknownError(f"there is no trunk record {name!r}")
    return row
