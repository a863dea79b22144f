"""Which browser a session is in, from what the browser says of itself."""

from __future__ import annotations

_BROWSERS = (("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (("Windows", "Windows"), ("Android", "Android"), ("Mac OS", "macOS"), ("Linux", "Linux"))


def browser_of(agent: str) -> str:
    """Return e.g. `Chrome · Linux`; what is not known as it stands, shortened."""
    named = [name for sign, name in _BROWSERS if sign in agent][:1]
    named += [name for sign, name in _SYSTEMS if sign in agent][:1]
    return " · ".join(named) or agent[:60] or "-"
