"""The real phone behind the `CallPlacer` port: `sip.phone` dials, `recordings` keeps the sound."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog

from app.checks.ports import CallOrder, Journal
from app.settings import Settings, TrunkSettings
from recordings import Archive, RecordingError
from sip.core import Address, Credentials
from sip.media import load_prompt
from sip.phone import Phone, Script, Trunk
from sip.progress import Limits
from sip.record import CallRecord, RecordingInfo

log = structlog.get_logger(__name__)


class TrunkError(ValueError):
    """A line has a plain number and the settings name no trunk for it."""


class PhonePlacer:
    """Places calls through one `Phone` for lines with a SIP URI or a number on the default trunk."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._trunk = settings.trunks.get(settings.default_trunk or "")
        self._archive = Archive(settings.recordings_dir)
        self._say = None if settings.say is None else load_prompt(settings.say)
        self._limits = Limits(
            within_ms=settings.three_ring_within_s * 1000, borderline_ms=settings.three_ring_limit_s * 1000
        )
        self._stopping = asyncio.Event()
        self._phone = Phone(_trunk(settings, self._trunk))

    async def __aenter__(self) -> PhonePlacer:
        await self._phone.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._phone.__aexit__(kind, error, trace)

    @property
    def lost(self) -> asyncio.Future[str]:
        """Done, with the reason, when the media engine died; a new process is then needed."""
        return self._phone.lost

    async def place(self, order: CallOrder, journal: Journal) -> CallRecord:
        """Dial once, then make a sound file of the capture. A recording that fails is an error of the record."""
        capture = self._archive.capture_path(order.recording_name)
        script = Script(
            max_ring_s=self._settings.max_ring_s,
            max_talk_s=self._settings.max_talk_s,
            say=self._say,
            capture=capture,
            limits=self._limits,
        )
        record = await self._phone.call(self._uri(order.target), script, journal=journal, stop=self._stopping)
        return await asyncio.to_thread(self._keep, record, capture, order.recording_name)

    def stop(self) -> None:
        """Hang up every call under way; their records say `cancelled`."""
        self._stopping.set()

    async def recover(self, snapshot: dict[str, Any]) -> None:
        """CANCEL or BYE what a killed process left of this dialog."""
        await self._phone.recover(snapshot)

    async def repair(self, names: Sequence[str]) -> Mapping[str, RecordingInfo]:
        """Make sound files of the captures that a killed process left; return those of `names` that there are."""
        return await asyncio.to_thread(self._repair, names)

    def _repair(self, names: Sequence[str]) -> dict[str, RecordingInfo]:
        found = self._archive.repair()
        for name in set(names) - found.keys():
            # The process may have died after its sound file was made and before the ledger knew.
            with contextlib.suppress(RecordingError, OSError):
                found[name] = self._archive.store(self._archive.capture_path(name), name)
        return found

    def _uri(self, target: str) -> str:
        if target.lower().startswith(("sip:", "sips:")):
            return target
        if self._trunk is None:
            raise TrunkError(f"{target} is a plain number: set DUTYRING_DEFAULT_TRUNK and DUTYRING_TRUNKS")
        digits = "".join(sign for sign in target if sign.isdigit() or sign == "+")
        return f"sip:{digits}@{self._trunk.host}:{self._trunk.port or 5060}"

    def _keep(self, record: CallRecord, capture: Path, name: str) -> CallRecord:
        if not capture.exists():
            return record
        try:
            info = self._archive.store(capture, name, record.ended_ms)
        except (RecordingError, OSError) as error:
            log.error("recording could not be made", name=name, reason=str(error))
            return dataclasses.replace(record, errors=(*record.errors, f"recording: {error}"))
        return dataclasses.replace(record, recording=info)


def _trunk(settings: Settings, trunk: TrunkSettings | None) -> Trunk:
    credentials = None
    if trunk is not None and trunk.user and trunk.password is not None:
        credentials = Credentials(trunk.user, trunk.password.get_secret_value())
    identity = settings.sip_identity or (trunk.identity if trunk else None)
    return Trunk(from_uri=identity, bind=_bind(settings.sip_bind), credentials=credentials)


def _bind(text: str | None) -> Address | None:
    if text is None:
        return None
    host, separator, port = text.rpartition(":")
    if not separator or "]" in port or (":" in host.strip("[]") and not host.startswith("[")):
        return Address(text.strip("[]"), 0)
    return Address(host.strip("[]"), int(port))
