"""Datagrams of many sockets, read into matrices: no object is made for a packet.

The kernel writes packet, source and stamp of each datagram to its own slot (recvmsg(2) with message headers that
are laid out once), so that the regular packets of a tick are looked at all at once. With a ring (`sip.media.uring`)
one system call reads all sockets; without one each takes its own.
"""

from __future__ import annotations

import ctypes
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sip.kernel_time import SO_TIMESTAMPNS
from sip.media.model import Address
from sip.media.rtp import HEADER_BYTES
from sip.media.timeline import Rows
from sip.media.udp import LARGEST_BYTES, NEWEST_S, OLDEST_S, SO_RXQ_OVFL
from sip.media.uring import Ring, reads

SLOTS: Final = 1024
_SLOT_BYTES: Final = LARGEST_BYTES + 64
"""An odd number of cache lines, so that the heads of the slots do not crowd into a few sets of the cache."""
_NAME_BYTES: Final = 32
"""Room for a sockaddr_in6 (28 bytes)."""
_CONTROL_BYTES: Final = 64
_STAMPED_BYTES: Final = 32
"""A control message with a timespec, which is the first one (sock_recv_cmsgs of net/socket.c)."""
_COUNTED_BYTES: Final = 52
"""The same and a count of lost datagrams behind it."""
_NAMES_KEPT: Final = 4096

_MESSAGE: Final = np.dtype(
    [
        ("name", np.uintp),
        ("name_bytes", np.uint32),
        ("parts", np.uintp),
        ("part_count", np.uintp),
        ("control", np.uintp),
        ("control_bytes", np.uintp),
        ("flags", np.int32),
    ],
    align=True,
)
"""`struct msghdr` (recvmsg(2))."""

_recvmsg = ctypes.PyDLL(None).recvmsg
"""Holds the interpreter lock: the calls never wait, and the engine has one thread."""
_recvmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
_recvmsg.restype = ctypes.c_ssize_t
_DONTWAIT: Final = int(socket.MSG_DONTWAIT)

Words = npt.NDArray[np.uint64]


class Sockets(NamedTuple):
    """Sockets to read, none of them twice."""

    descriptors: npt.NDArray[np.int32]
    rows: Rows
    """The rows of their calls."""

    @classmethod
    def of(cls, rows: Mapping[int, int]) -> Sockets:
        """Return the sockets of a mapping from descriptors to rows."""
        count = len(rows)
        return cls(np.fromiter(rows.keys(), np.int32, count), np.fromiter(rows.values(), np.intp, count))

    def part(self, first: int, count: int) -> Sockets:
        """Return some of them."""
        return Sockets(self.descriptors[first : first + count], self.rows[first : first + count])


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Datagrams of different calls. The arrays are views of the inbox: they hold until it reads again."""

    rows: Rows
    """[n] the rows of the calls, none of them twice."""
    data: npt.NDArray[np.uint8]
    """[slots, slot] the datagrams."""
    lengths: npt.NDArray[np.int64]
    """[n] their lengths."""
    names: Words
    """[n, 4] their sources as the kernel has them (sockaddr), zeros behind."""
    at: npt.NDArray[np.float64]
    """[n] the monotonic seconds of their arrival."""
    drops: npt.NDArray[np.int64]
    """[n] how many datagrams the socket has lost so far (0: unsaid)."""
    slots: Rows | None = None
    """[n] in which slot each datagram lies; None: one after the other."""
    stamped: npt.NDArray[np.bool_] | None = None
    """[n] whether `at` is a stamp of the kernel that can be right; None: all are."""

    def waited(self, old: float) -> list[int]:
        """Return the rows whose datagram came before the monotonic time `old`, or nobody knows when."""
        waited = self.at < old
        if self.stamped is not None:
            waited |= ~self.stamped
        rows: list[int] = self.rows[waited].tolist()
        return rows

    def datagram(self, index: int) -> bytes:
        """Return one datagram."""
        slot = index if self.slots is None else self.slots[index]
        return self.data[slot, : self.lengths[index]].tobytes()

    def source(self, index: int) -> Address:
        """Return the source of one datagram."""
        return address_of(self.names[index].tobytes())

    def heads(self) -> npt.NDArray[np.int64]:
        """Return [n, 3]: the words of the RTP headers."""
        heads = self.data.view(">u4")[:, : HEADER_BYTES // 4]
        return (heads if self.slots is None else heads[self.slots]).astype(np.int64)

    def payloads(self, size: int, indices: Rows) -> npt.NDArray[np.void]:
        """Return the `size` bytes behind the RTP headers of some datagrams."""
        kind = np.dtype((np.void, size))
        every = np.ndarray((len(self.data),), kind, self.data, HEADER_BYTES, (self.data.strides[0],))
        return every[indices if self.slots is None else self.slots[indices]]


_addresses: dict[bytes, Address] = {}


def address_of(name: bytes) -> Address:
    """Return the address that a sockaddr of either family holds."""
    address = _addresses.get(name)
    if address is None:
        family = int(np.frombuffer(name, np.uint16, 1)[0])
        port = int.from_bytes(name[2:4], "big")
        if family == socket.AF_INET6:
            address = (socket.inet_ntop(socket.AF_INET6, name[8:24]), port)
        else:
            address = (socket.inet_ntop(socket.AF_INET, name[4:8]), port)
        if len(_addresses) >= _NAMES_KEPT:
            _addresses.clear()
        _addresses[name] = address
    return address


class Inbox:
    """Room for one datagram of each of many sockets."""

    def __init__(self, slots: int = SLOTS, ring: Ring | None = None) -> None:
        self._ring = ring
        self._data = np.zeros((slots, _SLOT_BYTES), np.uint8)
        self._names = np.zeros((slots, _NAME_BYTES // 8), np.uint64)
        self._control = np.zeros((slots, _CONTROL_BYTES), np.uint8)
        every = np.arange(slots, dtype=np.uintp)
        self._parts = np.zeros((slots, 2), np.uintp)
        self._parts[:, 0] = self._data.ctypes.data + every * np.uintp(_SLOT_BYTES)
        self._parts[:, 1] = LARGEST_BYTES
        self._messages = np.zeros(slots, _MESSAGE)
        self._messages["name"] = self._names.ctypes.data + every * np.uintp(_NAME_BYTES)
        self._messages["parts"] = self._parts.ctypes.data + every * np.uintp(self._parts.strides[0])
        self._messages["part_count"] = 1
        self._messages["control"] = self._control.ctypes.data + every * np.uintp(_CONTROL_BYTES)
        self._pointers = self._messages.ctypes.data + every * np.uintp(_MESSAGE.itemsize)
        self._pointer_list = self._pointers.tolist()

    def read(self, sockets: Sockets, offset: float, now: float) -> tuple[Batch, list[int]]:
        """Take one datagram from each of up to `SLOTS` sockets.

        `offset` is `wall_offset()` at the monotonic time `now`. Returns the datagrams and the descriptors that
        had none; pending errors of earlier sends are skipped and count as none.
        """
        count = len(sockets.rows)
        self._prepare(count)
        lengths = self._receive(sockets.descriptors)
        slots = (lengths >= 0).nonzero()[0]
        at, drops, stamped = self._stamps(slots, offset, now)
        batch = Batch(
            sockets.rows[slots],
            self._data[:count],
            lengths[slots],
            self._names[slots],
            at,
            drops,
            slots,
            stamped,
        )
        silent = sockets.descriptors[lengths < 0].tolist() if len(slots) < count else []
        return batch, silent

    def _receive(self, descriptors: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
        """Return the length of the datagram in each slot, below 0 where there was none."""
        if self._ring is not None and self._ring.usable:
            return self._ring.do(reads(descriptors, self._pointers[: len(descriptors)])).astype(np.int64)
        pairs = zip(descriptors.tolist(), self._pointer_list, strict=False)
        return np.array([_recvmsg(socket_, pointer, _DONTWAIT) for socket_, pointer in pairs], np.int64)

    def _prepare(self, count: int) -> None:
        """Reset what the kernel changes."""
        messages = self._messages[:count]
        messages["name_bytes"] = _NAME_BYTES
        messages["control_bytes"] = _CONTROL_BYTES
        self._names[:count] = 0

    def _stamps(
        self, slots: Rows, offset: float, now: float
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Return the arrivals and the counts of lost datagrams that the control messages tell.

        The last ones tell whether an arrival is the kernel's; where it is not it is `now`.
        """
        used = self._messages["control_bytes"][slots]
        control = self._control[slots]
        words, times = control.view(np.int32), control.view(np.int64)
        at = times[:, 2] + times[:, 3] / 1e9 + offset
        stamped = (used >= _STAMPED_BYTES) & (words[:, 2] == socket.SOL_SOCKET)
        stamped &= (words[:, 3] == SO_TIMESTAMPNS) & (at - now > -OLDEST_S) & (at - now < NEWEST_S)
        counted = (used >= _COUNTED_BYTES) & (words[:, 10] == socket.SOL_SOCKET)
        counted &= words[:, 11] == SO_RXQ_OVFL
        lost = control.view(np.uint32)[:, 12].astype(np.int64)
        return np.where(stamped, at, now), np.where(counted, lost, 0), stamped
