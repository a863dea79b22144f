"""All trunks of ours: those of the settings and those that were entered, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

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
        ours.append(OurTrunk(row.name, config_of(row), "record", shadowed=row.name in settings.trunks))

    def place(trunk: OurTrunk) -> tuple[bool, int, str, bool]:
        first = trunk.name == settings.default_trunk
        return (not first, trunk.config.priority, trunk.name, trunk.shadowed)

    return sorted(ours, key=place)


def usable(settings: Settings, ours: Iterable[OurTrunk]) -> tuple[list[Trunk], list[TrunkMemberError]]:
    """Return the trunks that calls may take, in order, and what is wrong with those that cannot be made."""
    made: list[Trunk] = []
    wrong: list[TrunkMemberError] = []
    for trunk in ours:
        if not trunk.in_use:
            continue
        try:
            made.append(trunk_of(trunk.name, trunk.config, settings.sip_bind, settings.sip_identity))
        except TrunkMemberError as error:
            wrong.append(error)
    return made, wrong
