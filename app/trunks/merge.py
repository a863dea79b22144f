"""All trunks of ours: those of the settings and those that were entered, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from app.settings import Settings
from app.trunk_settings import TrunkConfig, TrunkMemberError, trunk_of
from app.trunks.models import TrunkRecord
from app.trunks.service import config_of
from sip.trunks import Trunk

DEMO_TRUNK = "demo"
"""The demonstration's trunk: its extensions would be somebody's telephones anywhere else."""


@dataclass(frozen=True, slots=True)
class OurTrunk:
    """One trunk and where it stands written."""

    name: str
    config: TrunkConfig
    source: Literal["settings", "record"]
    shadowed: bool = False
    """A record of a name that the settings use as well: it is not used."""
    unreadable: TrunkMemberError | None = None
    """Of a record that this version cannot read, what is wrong with it; `config` then says little."""

    @property
    def in_use(self) -> bool:
        """Whether calls may take it."""
        return self.config.enabled and not self.shadowed


def merged(settings: Settings, records: Iterable[TrunkRecord]) -> list[OurTrunk]:
    """Every trunk, first the one that is tried first.

    The settings win by name: they are what the machine's operator deployed, and no record may bend them. In a
    demonstration there is no other trunk than its own.
    """
    ours = [OurTrunk(name, config, "settings") for name, config in settings.trunks.items()]
    if settings.default_trunk == DEMO_TRUNK:
        return [trunk for trunk in ours if trunk.name == DEMO_TRUNK]
    for row in records:
        ours.append(_of_record(row, shadowed=row.name in settings.trunks))

    def place(trunk: OurTrunk) -> tuple[bool, int, str, bool]:
        first = trunk.name == settings.default_trunk
        return (not first, trunk.config.priority, trunk.name, trunk.shadowed)

    return sorted(ours, key=place)


def _of_record(row: TrunkRecord, *, shadowed: bool) -> OurTrunk:
    """Read a record. One that a newer version wrote, or a hand, must not take the others' calls with it."""
    try:
        return OurTrunk(row.name, config_of(row), "record", shadowed)
    except ValidationError as error:
        item = error.errors(include_input=False, include_url=False)[0]
        member = str(item["loc"][0]) if item["loc"] else "config"
        reason = "the record cannot be read; it takes another `dutyring trunks add`"
        wrong = TrunkMemberError(row.name, member, reason)
        return OurTrunk(row.name, TrunkConfig(host="", enabled=row.enabled), "record", shadowed, wrong)


def usable(settings: Settings, ours: Iterable[OurTrunk]) -> tuple[list[Trunk], list[TrunkMemberError]]:
    """Return the trunks that calls may take, in order, and what is wrong with those that cannot be made."""
    made: list[Trunk] = []
    wrong: list[TrunkMemberError] = []
    for trunk in ours:
        if not trunk.in_use:
            continue
        if trunk.unreadable is not None:
            wrong.append(trunk.unreadable)
            continue
        try:
            made.append(trunk_of(trunk.name, trunk.config, settings.sip_bind, settings.sip_identity))
        except TrunkMemberError as error:
            wrong.append(error)
    return made, wrong
