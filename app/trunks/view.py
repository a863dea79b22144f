"""A trunk as tables, pages and the API show it: what is set, how it is, what stands against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.policy import Stored
from app.settings import Settings
from app.trunk_settings import TrunkConfig, TrunkMemberError
from app.trunks import service, wording
from app.trunks.merge import OurTrunk, merged, usable
from app.trunks.models import TrunkState
from sip.trunks import PHONE

DISABLED, SHADOWED, UNUSABLE = "disabled", "shadowed", "unusable"


@dataclass(frozen=True, slots=True)
class AlarmView:
    """An alarm that stands."""

    kind: str
    since: datetime | None
    detail: str

    @property
    def zh(self) -> str:
        """Its sentence in Chinese."""
        return wording.alarm_zh(self.kind)

    @property
    def en(self) -> str:
        """Its sentence in English."""
        return wording.alarm_en(self.kind)

    @property
    def remedy_zh(self) -> str:
        """What to do, in Chinese."""
        return wording.remedy_zh(self.kind)

    @property
    def remedy_en(self) -> str:
        """What to do, in English."""
        return wording.remedy_en(self.kind)


@dataclass(frozen=True, slots=True)
class TrunkView:
    """One trunk."""

    name: str
    source: str
    server: str
    transport: str
    state: str
    """What the phone last said, `unknown`, or `disabled`, `shadowed`, `unusable`."""
    since: datetime | None
    registers: bool
    registered_until: datetime | None
    calls: int
    caps: str
    alarms: tuple[AlarmView, ...]
    notes: tuple[str, ...] = ()

    @property
    def in_use(self) -> bool:
        """Whether calls may take it."""
        return self.state not in (DISABLED, SHADOWED)

    @property
    def well(self) -> bool:
        """Whether it is as it should be; what is not in use always is."""
        return not self.in_use or (self.state == "up" and not self.alarms)

    @property
    def state_zh(self) -> str:
        """Its state in Chinese; an alarm that stands is no state to call well."""
        if self.in_use and self.state == "up" and self.alarms:
            return wording.ALARMED_ZH
        return wording.STATES_ZH.get(self.state, self.state)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "name": self.name,
            "source": self.source,
            "server": self.server,
            "transport": self.transport,
            "state": self.state,
            "since": _text(self.since),
            "registers": self.registers,
            "registered_until": _text(self.registered_until),
            "calls": self.calls,
            "caps": self.caps,
            "alarms": [
                {
                    "kind": a.kind,
                    "since": _text(a.since),
                    "detail": a.detail,
                    "zh": a.zh,
                    "en": a.en,
                    "do_zh": a.remedy_zh,
                    "do_en": a.remedy_en,
                }
                for a in self.alarms
            ],
            "notes": list(self.notes),
            "well": self.well,
        }


def views(settings: Settings, stored: Stored, now: datetime) -> list[TrunkView]:
    """Every trunk of ours, in the order in which they are tried."""
    ours = merged(settings, stored.trunks)
    wrong = {error.trunk: error for error in usable(settings, ours)[1]}
    states = {row.name: row for row in stored.states}
    found = [_view(trunk, states.get(trunk.name), wrong.get(trunk.name), now) for trunk in ours]
    phone = states.get(PHONE)
    if phone is not None and phone.alarms and service.known_state(phone, now) != service.UNKNOWN:
        found.append(_phone_view(phone))
    return found


def _phone_view(row: TrunkState) -> TrunkView:
    """What stands against the phone itself, whatever the trunk."""
    return TrunkView(PHONE, "phone", "", "", row.state, row.since, False, None, 0, "", _alarms(row.alarms))


def _view(
    trunk: OurTrunk, row: TrunkState | None, wrong: TrunkMemberError | None, now: datetime
) -> TrunkView:
    config = trunk.config
    state = _state(trunk, row, wrong, now)
    told = row if row is not None and trunk.in_use and state != service.UNKNOWN else None
    return TrunkView(
        name=trunk.name,
        source=trunk.source,
        server=_server(config),
        transport=config.transport,
        state=state,
        since=told.since if told else None,
        registers=config.registration,
        registered_until=told.registered_until if told else None,
        calls=told.calls if told else 0,
        caps=caps(config),
        alarms=_alarms(told.alarms) if told else (),
        notes=tuple(_notes(trunk, wrong)),
    )


def _server(config: TrunkConfig) -> str:
    if config.port is None:
        return config.host
    return f"[{config.host}]:{config.port}" if ":" in config.host else f"{config.host}:{config.port}"


def _state(trunk: OurTrunk, row: TrunkState | None, wrong: TrunkMemberError | None, now: datetime) -> str:
    if trunk.shadowed:
        return SHADOWED
    if not trunk.config.enabled:
        return DISABLED
    known = service.known_state(row, now)
    # A secret may lie where the service finds it and whoever asks does not: what the phone says comes first.
    return UNUSABLE if wrong is not None and known == service.UNKNOWN else known


def _alarms(stored: Sequence[dict[str, Any]]) -> tuple[AlarmView, ...]:
    return tuple(
        AlarmView(a["kind"], datetime.fromisoformat(a["since"]), a.get("detail", "")) for a in stored
    )


def _notes(trunk: OurTrunk, wrong: TrunkMemberError | None) -> list[str]:
    notes = []
    if trunk.shadowed:
        notes.append("not used: the settings have a trunk of this name")
    if wrong is not None:
        notes.append(f"{wrong.member}: {wrong.reason}")
    if trunk.config.transport == "tls" and not trunk.config.tls_verify:
        notes.append("certificates are not checked (tls_verify)")
    return notes


def caps(config: TrunkConfig) -> str:
    """Write the caps of a trunk in a few words."""
    parts = [
        "" if config.max_calls is None else f"{config.max_calls} at once",
        "" if config.calls_per_s is None else f"{config.calls_per_s:g}/s",
        _quota(config.per_called, "number"),
        _quota(config.per_caller, "identity"),
    ]
    return ", ".join(part for part in parts if part) or "none"


def _quota(quota: tuple[int, float] | None, of: str) -> str:
    return "" if quota is None else f"{quota[0]}/{of} in {quota[1]:g} s"


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")
