"""Who we are towards the servers that ask: challenges remembered, answered, and told apart when they persist.

An `Authorizer` stands for one account. All requests that use it share what it has learned: for each protection
space (a realm of one server, as a registrar or as a proxy) the last nonce and how often it was used, so that
the next request carries its credentials at once (RFC 7616 section 3.3, RFC 3261 sections 22.2 and 22.3).

What it has learned from one server is never sent to another: a proxy's space belongs to the host that the
request went to, a registrar's or user agent's also to the host of the request-URI. Otherwise a stranger could
collect answers against which passwords can be tried out at leisure.

An `Exchange` is one request with all its repetitions. It knows which credentials the request carried, and so
what another challenge means.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from .compose import OutRequest
from .digest import Challenge, answer, challenges, parse_parameters
from .framing import Response
from .types import Address, Credentials
from .values import split_host

MAX_CHALLENGES = 4
"""How often one request answers challenges: a proxy's and a far side's, each once stale."""
MAX_SPACES = 32
"""How many protection spaces an account remembers; the longest unused one is forgotten first."""

Denial = Literal["no credentials", "bad credentials", "unknown challenge", "challenged without end"]
"""Why a 401 or 407 is final: we were given none; the server refuses ours; it wants an algorithm or a quality of
protection that we do not have; or each answer is called stale."""

_FIELDS = {False: "Authorization", True: "Proxy-Authorization"}
_Key = tuple[bool, str]
"""Whether a proxy asked, and the realm."""


@dataclass(slots=True)
class Space:
    """One protection space, and how far its nonce has been used."""

    challenge: Challenge
    proxy: bool
    host: str
    """The host that the challenged request went to."""
    uri_host: str
    """The host of its request-URI."""
    count: int = 0
    cnonce: str = ""
    """The one of the first use: an algorithm of the `-sess` kind makes its key of it (RFC 7616 section 3.4.2)."""

    @property
    def key(self) -> _Key:
        """What tells the spaces of one request apart."""
        return self.proxy, self.challenge.realm

    def serves(self, host: str, uri_host: str) -> bool:
        """Whether a request to this host may carry credentials for the space."""
        return self.host == host and (self.proxy or uri_host in (self.uri_host, host))

    def renew(self, nonce: str) -> None:
        """Go on with another nonce."""
        self.challenge = replace(self.challenge, nonce=nonce)
        self.count, self.cnonce = 0, ""

    def header(self, credentials: Credentials, request: OutRequest, cnonce: str) -> tuple[str, str]:
        """Use the nonce once more."""
        self.count += 1
        if not self.cnonce or not self.challenge.name.endswith("-SESS"):
            self.cnonce = cnonce
        value = answer(
            self.challenge,
            credentials,
            request.method,
            request.uri,
            self.cnonce,
            self.count,
            request.body,
        )
        return _FIELDS[self.proxy], value


class Authorizer:
    """One account, and what the servers that asked for it said last.

    Share it between the calls, the registration and the probes of one trunk.
    """

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self.refused_by: str | None = None
        """The realm that refused the credentials last, None once they have been accepted again."""
        self._spaces: dict[tuple[str, str, bool, str], Space] = {}

    def __repr__(self) -> str:
        return f"Authorizer({self.credentials!r})"

    @classmethod
    def of(cls, account: Credentials | Authorizer | None) -> Authorizer | None:
        """Return the authorizer itself, or a new one that remembers for its owner alone."""
        return cls(account) if isinstance(account, Credentials) else account

    def spaces(self, destination: Address, uri: str) -> list[Space]:
        """Return the spaces whose credentials a request carries from the start."""
        host, uri_host = destination.host.lower(), _uri_host(uri)
        found = {space.key: space for space in self._spaces.values() if space.serves(host, uri_host)}
        return list(found.values())

    def learn(self, challenge: Challenge, proxy: bool, destination: Address, uri: str) -> None:
        """Take note of a challenge; its nonce replaces the one that was known."""
        host, uri_host = destination.host.lower(), _uri_host(uri)
        key = (host, "" if proxy else uri_host, proxy, challenge.realm)
        known = self._spaces.pop(key, None)
        if known is None or replace(known.challenge, stale=challenge.stale) != challenge:
            known = Space(challenge, proxy, host, uri_host)
        self._spaces[key] = known
        while len(self._spaces) > MAX_SPACES:
            del self._spaces[next(iter(self._spaces))]

    def forget(self, key: _Key) -> None:
        """Send nothing from the start any more to those of this realm, who refused our credentials."""
        self._spaces = {name: space for name, space in self._spaces.items() if space.key != key}


class Exchange:
    """One request of ours and its repetitions, as far as credentials are concerned."""

    def __init__(self, authorizer: Authorizer | None, token: Callable[[], str]) -> None:
        self._authorizer = authorizer
        self._token = token
        self._sent: tuple[OutRequest, Address] | None = None
        self._carried: dict[_Key, Space] = {}
        self._asked: set[_Key] = set()
        """Who challenged this very request."""
        self._challenges = 0
        self.denial: Denial | None = None
        """Why the last 401 or 407 was final."""

    def sign(self, request: OutRequest, destination: Address) -> OutRequest:
        """Return the request with the credentials that are known to be wanted there, and no others."""
        self._sent = (request, destination)
        kept = tuple(field for field in request.headers if field[0] not in _FIELDS.values())
        if self._authorizer is None:
            return request
        spaces = self._authorizer.spaces(destination, request.uri)
        self._carried = {space.key: space for space in spaces}
        credentials = self._authorizer.credentials
        fields = tuple(space.header(credentials, request, self._token()) for space in spaces)
        return replace(request, headers=(*fields, *kept))

    def challenged(self, response: Response) -> bool:
        """Whether the request is worth sending again, signed anew, after this final response.

        False for anything but 401 and 407, and where `denial` says why.
        """
        if response.status not in (401, 407) or self._sent is None:
            return False
        proxy = response.status == 407
        found: dict[_Key, Challenge] = {}
        for challenge in challenges(response, response.status):
            found.setdefault((proxy, challenge.realm), challenge)
        self.denial = self._verdict(found)
        if self.denial is not None or self._authorizer is None:
            return False
        request, destination = self._sent
        for key, challenge in found.items():
            self._asked.add(key)
            self._authorizer.learn(challenge, proxy, destination, request.uri)
        self._challenges += 1
        return True

    def accepted(self, response: Response) -> None:
        """Take note of a 2xx: the nonce for next time, if it names one (RFC 7616 section 3.5)."""
        if self._authorizer is None or not self._carried:
            return
        self._authorizer.refused_by = None
        for proxy, name in ((False, "authentication-info"), (True, "proxy-authentication-info")):
            nonce = parse_parameters("Digest " + (response.header(name) or ""))[1].get("nextnonce")
            spaces = [space for key, space in self._carried.items() if key[0] is proxy]
            if nonce and len(spaces) == 1:
                spaces[0].renew(nonce)

    def _verdict(self, found: dict[_Key, Challenge]) -> Denial | None:
        if self._authorizer is None:
            return "no credentials"
        if not found:
            return "unknown challenge"
        for key, challenge in found.items():
            # Credentials sent from the start may have been right for a nonce that has been forgotten meanwhile;
            # not all servers call that stale. Only an answer to this request's own challenge proves them wrong.
            if key in self._asked and key in self._carried and not challenge.stale:
                self._authorizer.forget(key)
                self._authorizer.refused_by = key[1]
                return "bad credentials"
        return "challenged without end" if self._challenges >= MAX_CHALLENGES else None


def _uri_host(uri: str) -> str:
    rest = uri.partition(":")[2].partition("?")[0].rpartition("@")[2]
    return split_host(rest.partition(";")[0])[0].lower()
