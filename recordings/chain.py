"""Whether the manifest is what was written: every line in itself, in its order, signed, and as long as heads say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from recordings.entries import FIRST, Entry, SignedHead, public_hex
from recordings.manifest import Manifest

Step = Callable[[int], None]
"""Told how many lines have been read."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not hold."""

    what: str
    """`entry`, `chain`, `signature`, `key`, `torn`, `head`, `changed`, `swapped`, `missing`, `unreadable`, `extra`,
    `unlisted` or `database`."""
    where: str
    """The line, the object or the recording."""
    detail: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.where}: {self.detail}"


@dataclass(slots=True)
class _Walk:
    """How far the chain has been followed."""

    n: int = 0
    sha256: str | None = FIRST
    """What the next entry has to name; None after a line that is none: anything."""


def check_chain(
    manifest: Manifest, key: Ed25519PublicKey, heads: Sequence[SignedHead] = (), step: Step | None = None
) -> Iterator[Problem]:
    """Yield what does not hold of the manifest, as it stands now. `heads` are those that an auditor has."""
    walk = _Walk()
    awaited: dict[int, list[SignedHead]] = {}
    for head in heads:
        if head.holds():
            awaited.setdefault(head.n, []).append(head)
        else:
            yield Problem("head", f"head of {head.at}", "its signature does not hold")
    known = len([head for head in heads if head.public_key == public_hex(key)])
    if known < len(heads):
        yield Problem("head", "heads", f"{len(heads) - known} of {len(heads)} are of another key")
    for number, (_, whole, line) in enumerate(manifest.lines(), 1):
        where = f"{manifest.path.name} line {number}"
        if not whole:
            detail = f"is cut off ({len(line)} bytes); `dutyring recordings repair` sets it aside"
            yield Problem("torn", where, detail)
            break
        try:
            entry = Entry.read(line)
        except ValueError as error:
            yield Problem("entry", where, str(error))
            walk = _Walk(number if walk.sha256 is None else walk.n + 1, None)
            continue
        yield from _follows(entry, walk, where, key)
        yield from _as_known(entry, awaited.pop(entry.n, []), where)
        walk = _Walk(entry.n, entry.sha256)
        if step is not None:
            step(number)
    for head in (head for left in awaited.values() for head in left):
        detail = f"ends with entry {walk.n}; the head of {head.at} names entry {head.n}: entries were cut off"
        if head.n <= walk.n:
            detail = f"has no entry {head.n} that can be read; the head of {head.at} names it"
        yield Problem("head", manifest.path.name, detail)


def _follows(entry: Entry, walk: _Walk, where: str, key: Ed25519PublicKey) -> Iterator[Problem]:
    if walk.sha256 is not None and entry.n != walk.n + 1:
        yield Problem("chain", where, f"is entry {entry.n} where entry {walk.n + 1} is due")
    elif walk.sha256 is not None and entry.previous != walk.sha256:
        yield Problem("chain", where, f"entry {entry.n} does not follow the line before: that was exchanged")
    if not entry.signed_by(key):
        yield Problem("signature", where, f"entry {entry.n} was not signed by the key {public_hex(key)}")
    if entry.n == 1 and entry.kind == "opened" and entry.members.get("public_key") != public_hex(key):
        yield Problem("key", where, f"was begun with another key than {public_hex(key)}")


def _as_known(entry: Entry, heads: Sequence[SignedHead], where: str) -> Iterator[Problem]:
    for head in heads:
        if head.sha256 != entry.sha256:
            yield Problem("head", where, f"entry {entry.n} is not the one that the head of {head.at} names")
