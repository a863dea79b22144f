"""Digest access authentication (RFC 2617, RFC 7616, RFC 8760), both sides.

Challenges are split here and not by `sipmessage` (0.7): its pattern refuses a comma inside a quoted string
(`qop="auth,auth-int"`) and takes time exponential in the number of parameters for a value that does not match,
seconds at 22 of them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .framing import Message
from .types import Credentials
from .values import quote, split_outside, unquote

_KNOWN = {
    "MD5": ("md5", 1),
    "MD5-SESS": ("md5", 2),
    "SHA-256": ("sha256", 3),
    "SHA-256-SESS": ("sha256", 4),
    "SHA-512-256": ("sha512_256", 5),
    "SHA-512-256-SESS": ("sha512_256", 6),
}


def _can_hash(name: str) -> bool:
    """Whether this build of OpenSSL has the hash: some leave out SHA-512/256, those in FIPS mode MD5."""
    try:
        hashlib.new(name, b"", usedforsecurity=False)
    except ValueError:
        return False
    return True


ALGORITHMS = {name: value for name, value in _KNOWN.items() if _can_hash(value[0])}
"""The hash of each algorithm (RFC 7616 section 6.1) and its strength, greater is stronger."""
QUALITIES = ("auth", "auth-int")
"""What we protect a request with, the preferred first: proxies may change a body (RFC 3261 section 22.4)."""
NONCE_LIFE_S = 300.0
"""How long a nonce of ours is good."""

Verification = Literal["right", "absent", "wrong", "stale"]


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge of a 401 or 407."""

    realm: str
    nonce: str
    algorithm: str
    """As written; "" if not given, which means MD5."""
    qop: tuple[str, ...]
    opaque: str | None
    stale: bool
    userhash: bool = False
    """Whether the user name is to be sent as a hash (RFC 7616 section 3.4.4)."""

    @property
    def name(self) -> str:
        """The algorithm in upper case."""
        return self.algorithm.upper() or "MD5"

    @property
    def answerable(self) -> bool:
        """Whether we know the algorithm and the quality of protection."""
        return self.name in ALGORITHMS and bool(self.nonce) and (not self.qop or self.quality is not None)

    @property
    def quality(self) -> str | None:
        """The quality of protection that we answer with; None in the manner of RFC 2069, without one."""
        return next((quality for quality in QUALITIES if quality in self.qop), None)


def parse_parameters(value: str) -> tuple[str, dict[str, str]]:
    """Return the scheme in lower case and the parameters of a challenge or of credentials."""
    scheme, _, rest = value.strip().partition(" ")
    found: dict[str, str] = {}
    for piece in split_outside(rest, ","):
        name, equals, content = piece.partition("=")
        if equals:
            found.setdefault(name.strip().lower(), unquote(content.strip()))
    return scheme.lower(), found


def challenges(message: Message, status: int) -> list[Challenge]:
    """Return the answerable Digest challenges of a 401 or 407, the strongest first.

    RFC 8760 section 2.4 lets a client take the topmost one it knows or follow a policy of its own: ours is the
    strongest, since proxies on the way may have put them in any order.
    """
    name = "www-authenticate" if status == 401 else "proxy-authenticate"
    found = []
    for value in message.headers(name):
        for single in _split_challenges(value):
            scheme, parameters = parse_parameters(single)
            if scheme == "digest" and (challenge := _challenge(parameters)).answerable:
                found.append(challenge)
    return sorted(found, key=lambda challenge: -ALGORITHMS[challenge.name][1])


def _split_challenges(value: str) -> list[str]:
    """Split several challenges in one field.

    A new one begins where a scheme word precedes the first parameter.
    """
    groups: list[list[str]] = []
    for piece in split_outside(value, ","):
        head = piece.partition("=")[0].strip()
        if " " in head or not groups:
            groups.append([])
        groups[-1].append(piece)
    return [", ".join(group) for group in groups]


def _challenge(parameters: dict[str, str]) -> Challenge:
    qop = tuple(word.strip().lower() for word in parameters.get("qop", "").split(",") if word.strip())
    return Challenge(
        realm=parameters.get("realm", ""),
        nonce=parameters.get("nonce", ""),
        algorithm=parameters.get("algorithm", ""),
        qop=qop,
        opaque=parameters.get("opaque"),
        stale=parameters.get("stale", "").lower() == "true",
        userhash=parameters.get("userhash", "").lower() == "true",
    )


def hashed(algorithm: str, data: bytes) -> str:
    """Return the hash in hexadecimal; raises KeyError for an unknown algorithm."""
    return hashlib.new(ALGORITHMS[algorithm.upper() or "MD5"][0], data, usedforsecurity=False).hexdigest()


def compute(
    algorithm: str,
    username: str,
    realm: str,
    password: str,
    method: str,
    uri: str,
    nonce: str,
    qop: str | None = None,
    nonce_count: str = "",
    cnonce: str = "",
    body: bytes = b"",
) -> str:
    """Return the response of RFC 7616 section 3.4.1; raises KeyError for an unknown algorithm.

    Texts are hashed as UTF-8, whether the challenge names a charset or not. `body` counts for `auth-int` alone.
    """

    def digest(text: str) -> str:
        return hashed(algorithm, text.encode())

    first = digest(f"{username}:{realm}:{password}")
    if algorithm.upper().endswith("-SESS"):
        first = digest(f"{first}:{nonce}:{cnonce}")
    integrity = f":{hashed(algorithm, body)}" if (qop or "").lower() == "auth-int" else ""
    second = digest(f"{method}:{uri}{integrity}")
    if qop:
        return digest(f"{first}:{nonce}:{nonce_count}:{cnonce}:{qop}:{second}")
    return digest(f"{first}:{nonce}:{second}")


def answer(
    challenge: Challenge,
    credentials: Credentials,
    method: str,
    uri: str,
    cnonce: str,
    count: int = 1,
    body: bytes = b"",
) -> str:
    """Return the value of Authorization or Proxy-Authorization; `count` numbers the uses of the nonce."""
    user, realm, qop = credentials.username, challenge.realm, challenge.quality
    nonce_count = f"{count:08x}"
    response = compute(
        challenge.algorithm,
        user,
        realm,
        credentials.password,
        method,
        uri,
        challenge.nonce,
        qop,
        nonce_count,
        cnonce,
        body,
    )
    shown = hashed(challenge.algorithm, f"{user}:{realm}".encode()) if challenge.userhash else user
    parts = [
        f"username={quote(shown)}",
        f"realm={quote(realm)}",
        f"nonce={quote(challenge.nonce)}",
        f"uri={quote(uri)}",
        f'response="{response}"',
    ]
    if challenge.algorithm:
        parts.append(f"algorithm={challenge.algorithm}")
    if qop:
        parts += [f"qop={qop}", f"nc={nonce_count}"]
    if qop or challenge.name.endswith("-SESS"):
        parts.append(f'cnonce="{cnonce}"')
    if challenge.opaque is not None:
        parts.append(f"opaque={quote(challenge.opaque)}")
    if challenge.userhash:
        parts.append("userhash=true")
    return "Digest " + ", ".join(parts)


class Verifier:
    """The far side of digest: makes challenges whose nonces need no memory, and checks the answers."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def challenge(self, realm: str, algorithm: str, now: float, stale: bool = False) -> str:
        """Return the value of WWW-Authenticate or Proxy-Authenticate."""
        parts = [
            f"realm={quote(realm)}",
            f'nonce="{self._nonce(f"{now:.3f}")}"',
            f"algorithm={algorithm}",
            'qop="auth"',
        ]
        return "Digest " + ", ".join([*parts, "stale=true"] if stale else parts)

    def verify(
        self, message: Message, method: str, lookup: Callable[[str], str | None], now: float
    ) -> Verification:
        """Check the credentials of a request.

        `lookup` returns the password of a user name, None if unknown.
        """
        values = message.headers("authorization") + message.headers("proxy-authorization")
        if not values:
            return "absent"
        results = [self._verify(value, method, message.body, lookup, now) for value in values]
        return next((wanted for wanted in ("right", "stale") if wanted in results), "wrong")

    def _verify(
        self, value: str, method: str, body: bytes, lookup: Callable[[str], str | None], now: float
    ) -> Verification:
        scheme, given = parse_parameters(value)
        password = lookup(given.get("username", ""))
        if scheme != "digest" or password is None or given.get("algorithm", "MD5").upper() not in ALGORITHMS:
            return "wrong"
        expected = compute(
            given.get("algorithm", "MD5"),
            given.get("username", ""),
            given.get("realm", ""),
            password,
            method,
            given.get("uri", ""),
            given.get("nonce", ""),
            given.get("qop"),
            given.get("nc", ""),
            given.get("cnonce", ""),
            body,
        )
        if not hmac.compare_digest(expected.encode(), given.get("response", "").lower().encode()):
            return "wrong"
        return "right" if self._fresh(given.get("nonce", ""), now) else "stale"

    def _nonce(self, moment: str) -> str:
        seal = hmac.new(self._secret, moment.encode(), hashlib.sha256).hexdigest()[:32]
        return f"{moment}-{seal}"

    def _fresh(self, nonce: str, now: float) -> bool:
        moment, dash, _ = nonce.rpartition("-")
        if not dash or not hmac.compare_digest(nonce.encode(), self._nonce(moment).encode()):
            return False
        return 0.0 <= now - float(moment) + 1e-3 <= NONCE_LIFE_S
