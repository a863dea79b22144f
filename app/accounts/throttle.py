"""How often somebody may try: buckets of tries that fill up again by the clock, in this process alone."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from datetime import datetime

from app import clock
from app.settings import Settings

MOST_KEYS = 20_000
"""Buckets that are kept; the one that was asked longest ago goes first."""


class Buckets:
    """One bucket for each key: it holds `most` tries and fills up again in `fill_s` seconds."""

    def __init__(self, most: int, fill_s: float) -> None:
        self._most, self._fill_s = float(most), fill_s
        self._left: OrderedDict[str, tuple[float, datetime]] = OrderedDict()

    def take(self, key: str) -> bool:
        """Take one try; False where none is left."""
        left, now = self._now(key)
        if left < 1.0:
            return False
        self._keep(key, left - 1.0, now)
        return True

    def give_back(self, key: str) -> None:
        """A try that counts for nothing, such as a right password."""
        left, now = self._now(key)
        self._keep(key, min(left + 1.0, self._most), now)

    def wait_s(self, key: str) -> float:
        """Seconds until there is a try again."""
        left, _ = self._now(key)
        return max(0.0, (1.0 - left) * self._fill_s / self._most)

    def _now(self, key: str) -> tuple[float, datetime]:
        now = clock.now()
        left, since = self._left.get(key, (self._most, now))
        # A clock that was set back fills nothing.
        passed_s = max(0.0, (now - since).total_seconds())
        return min(self._most, left + passed_s * self._most / self._fill_s), now

    def _keep(self, key: str, left: float, now: datetime) -> None:
        self._left[key] = (left, now)
        self._left.move_to_end(key)
        while len(self._left) > MOST_KEYS:
            self._left.popitem(last=False)


class SignInLimits:
    """What signing in asks before anything is hashed."""

    def __init__(self, settings: Settings) -> None:
        self.addresses = Buckets(settings.sign_ins_per_minute, 60.0)
        """By address: one machine cannot lock one account after the other."""
        self.places = Buckets(settings.sign_in_failures, settings.lock_minutes * 60)
        """By account and address: where a person signed in before, a lock from elsewhere does not hold them up."""


def network_of(address: str) -> str:
    """The network that counts as one address: of IPv6 a household has a whole /64."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else str(found)
