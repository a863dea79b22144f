"""Many sends or reads in one system call (io_uring), laid out and looked at as arrays.

A tick of a thousand calls is two thousand sends and reads. One by one each costs the way into the kernel and back and
some interpreter besides, a third of all that it takes. Here the requests are one array, which is copied to the ring of
the kernel; one `io_uring_enter(2)` does them all, and what came of them is an array again. None of them ever waits
(MSG_DONTWAIT), so they are done, in their order, when that call returns; nothing happens behind the program's back.

Many containers forbid io_uring (seccomp), some systems switch it off (`kernel.io_uring_disabled`), kernels before 5.12
lack what is needed: `Ring.open` then returns None, and whoever asked does what it did without.

Offsets and flags are those of <linux/io_uring.h>; the library that wraps them is no package of Python's.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import select
import socket
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from sip.kernel_time import SO_TIMESTAMPNS, enable_timestamps

_SYS_SETUP: Final = 425
_SYS_ENTER: Final = 426
"""The same on all architectures."""
_SINGLE_ISSUER: Final = 1 << 12
_DEFER_TASKRUN: Final = 1 << 13
"""One thread asks, and completions are only made while it does (Linux 6.1); older kernels take neither."""
_GETEVENTS: Final = 1
_FEATURES: Final = 0b11
"""SINGLE_MMAP and NODROP."""
_SQES_OFFSET: Final = 0x10000000
_PARAMS_WORDS: Final = 30
_SEND: Final = 26
_RECVMSG: Final = 10
_DONTWAIT: Final = 0x40
_UNDONE: Final = -errno.EAGAIN
_TRIES: Final = 3
_PROOF_S: Final = 1.0
"""What a packet to ourselves takes at the longest."""
ENTRIES: Final = 1024
"""Requests of one system call; more are done by several."""

_REQUEST: Final = np.dtype(
    [
        ("operation", np.uint8),
        ("flags", np.uint8),
        ("priority", np.uint16),
        ("descriptor", np.int32),
        ("offset", np.uint64),
        ("address", np.uint64),
        ("length", np.uint32),
        ("message_flags", np.uint32),
        ("place", np.uint64),
        ("rest", np.uint64, (3,)),
    ]
)
"""`struct io_uring_sqe`; `place` is what the completion says again (`user_data`)."""
_RESULT: Final = np.dtype([("place", np.uint64), ("result", np.int32), ("flags", np.uint32)])
"""`struct io_uring_cqe`."""

Requests: TypeAlias = npt.NDArray[np.void]
Results: TypeAlias = npt.NDArray[np.int32]

_LIBC: Final = ctypes.PyDLL(None, use_errno=True)
"""Holds the interpreter lock: the calls never wait, and the engine has one thread."""


def sends(descriptors: npt.NDArray[np.int32], addresses: npt.NDArray[np.uint64], length: int) -> Requests:
    """Return requests to send `length` bytes from each address on each of some connected sockets."""
    return _requests(_SEND, descriptors, addresses, length)


def reads(descriptors: npt.NDArray[np.int32], messages: npt.NDArray[np.uint64]) -> Requests:
    """Return requests to read a datagram from each socket into the `struct msghdr` at each address."""
    return _requests(_RECVMSG, descriptors, messages, 1)


def _requests(
    operation: int, descriptors: npt.NDArray[np.int32], addresses: npt.NDArray[np.uint64], length: int
) -> Requests:
    requests = np.zeros(len(descriptors), _REQUEST)
    requests["operation"] = operation
    requests["descriptor"] = descriptors
    requests["address"] = addresses
    requests["length"] = length
    requests["message_flags"] = _DONTWAIT
    return requests


class Ring:
    """The queues that are shared with the kernel."""

    def __init__(self, entries: int = ENTRIES) -> None:
        """Set the ring up; OSError where that cannot be."""
        params = (ctypes.c_uint32 * _PARAMS_WORDS)()
        self._descriptor = _setup(entries, params)
        self._entries = params[0]
        try:
            self._map(list(params))
            self._prove()
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(cls) -> Ring | None:
        """Return a ring, or None where there is none to be had or it does not do what it should."""
        with contextlib.suppress(OSError, ValueError):
            return cls()
        return None

    def close(self) -> None:
        """Give the ring back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def usable(self) -> bool:
        """False once the kernel has refused to go on."""
        return self._descriptor >= 0

    def do(self, requests: Requests) -> Results:
        """Have all requests done in their order; return what came of each: bytes, or an error number below 0.

        What cannot be done because the ring has failed is told as EAGAIN, as what would have waited is; `usable` is
        False then.
        """
        results = np.full(len(requests), _UNDONE, np.int32)
        for first in range(0, len(requests), self._entries):
            if self.usable:
                some = slice(first, first + self._entries)
                self._do(requests[some], results[some])
        return results

    def _do(self, requests: Requests, results: Results) -> None:
        count = len(requests)
        tail = int(self._tail[0])
        place = tail & (self._entries - 1)
        until_end = min(count, self._entries - place)
        self._slots[place : place + until_end] = requests[:until_end]
        self._slots[: count - until_end] = requests[until_end:]
        self._places[place : place + until_end] = self._every[:until_end]
        self._places[: count - until_end] = self._every[until_end:count]
        self._tail[0] = tail + count & 0xFFFFFFFF
        undone, waiting, tries = count, count, 0
        while waiting:
            done = _enter(self._descriptor, undone, waiting)
            undone -= max(done, 0)
            came = self._collect(results)
            waiting -= came
            # A signal may cut the call short; what is done by then is told, and the rest is asked for again.
            tries = 0 if came else tries + 1
            if tries >= _TRIES:
                self.close()
                return

    def _collect(self, results: Results) -> int:
        """Take what is done; return how many requests that were."""
        head, tail = int(self._done_head[0]), int(self._done_tail[0])
        count = tail - head & 0xFFFFFFFF
        if count:
            first = head & (self._done_entries - 1)
            if first + count <= self._done_entries:
                done = self._done[first : first + count]
            else:
                done = self._done[np.arange(first, first + count) & (self._done_entries - 1)]
            results[done["place"].astype(np.intp)] = done["result"]
            self._done_head[0] = tail
        return count

    def _map(self, params: list[int]) -> None:
        """Find everything in the memory that is shared (io_sqring_offsets and io_cqring_offsets)."""
        if params[5] & _FEATURES != _FEATURES:
            raise OSError(errno.ENOSYS, "this kernel's io_uring is too old")
        asked, done = params[10:20], params[20:30]
        self._done_entries = params[1]
        size = max(asked[6] + 4 * params[0], done[5] + _RESULT.itemsize * params[1])
        flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
        self._queues = mmap.mmap(self._descriptor, size, flags)
        self._memory = mmap.mmap(self._descriptor, _REQUEST.itemsize * params[0], flags, offset=_SQES_OFFSET)
        words = np.frombuffer(self._queues, np.uint32, size // 4)
        self._tail = words[asked[1] // 4 :][:1]
        words[asked[6] // 4 :][: params[0]] = np.arange(params[0])
        self._done_head, self._done_tail = words[done[0] // 4 :][:1], words[done[1] // 4 :][:1]
        self._done = np.frombuffer(self._queues, _RESULT, params[1], done[5])
        self._slots = np.frombuffer(self._memory, _REQUEST, params[0])
        self._places = self._slots["place"]
        self._every = np.arange(params[0], dtype=np.uint64)

    def _prove(self) -> None:
        """Send and read a packet as calls do, its stamp included; OSError where that does not come out as it should.

        Kernels before 5.12 read, but refuse to where a stamp is wanted: all calls would be deaf.
        """
        byte, box = np.ones(1, np.uint8), np.zeros(1, np.uint8)
        message, part, control = np.zeros(7, np.uint64), np.zeros(2, np.uint64), np.zeros(8, np.uint64)
        part[:] = box.ctypes.data, 1
        message[2:6] = part.ctypes.data, 1, control.ctypes.data, control.nbytes
        with contextlib.ExitStack() as stack:
            there, here = (stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(2))
            here.bind(("127.0.0.1", 0))
            there.connect(here.getsockname())
            enable_timestamps(here)
            near, far = (np.array([end.fileno()], np.int32) for end in (here, there))
            sent = self.do(sends(far, np.array([byte.ctypes.data], np.uint64), 1))
            select.select([here], [], [], _PROOF_S)
            read = [self.do(reads(near, np.array([message.ctypes.data], np.uint64)))[0] for _ in range(2)]
        if sent[0] != 1 or read != [1, -errno.EAGAIN] or box[0] != 1:
            raise OSError(errno.ENOSYS, "io_uring does not send and read here")
        if control.view(np.int32)[2:4].tolist() != [socket.SOL_SOCKET, SO_TIMESTAMPNS]:
            raise OSError(errno.ENOSYS, "io_uring does not tell when packets came")


def _setup(entries: int, params: ctypes.Array[ctypes.c_uint32]) -> int:
    for flags in (_SINGLE_ISSUER | _DEFER_TASKRUN, 0):
        params[2] = flags
        descriptor = int(_LIBC.syscall(_SYS_SETUP, entries, params))
        if descriptor >= 0:
            return descriptor
        if ctypes.get_errno() != errno.EINVAL:
            break
    raise OSError(ctypes.get_errno(), "io_uring cannot be had")


def _enter(descriptor: int, undone: int, waiting: int) -> int:
    return int(_LIBC.syscall(_SYS_ENTER, descriptor, undone, waiting, _GETEVENTS, None, 0))
