"""Local sockets: bound, marked for the network's queues, and with errors that name port and protocol."""

from __future__ import annotations

import ipaddress
import socket

from sip.core import Address

from .errors import BindError

BACKLOG = 256
USER_TIMEOUT_MS = 30_000
"""Data that stays unacknowledged this long ends a connection (TCP_USER_TIMEOUT, RFC 5482)."""
KEEP_IDLE_S, KEEP_INTERVAL_S, KEEP_PROBES = 120, 20, 3
"""TCP's own probes find a peer that vanished without a word."""


def is_ipv6(host: str) -> bool:
    """Whether the host is an IPv6 literal."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).version == 6
    except ValueError:
        return False


def open_socket(bind: Address, dscp: int, *, port: int | None = None) -> socket.socket:
    """Return a socket for the address's transport, bound to its host and port (or to `port`), not blocking.

    `dscp` (RFC 2474) marks every packet. Raises `BindError` that names protocol, address and reason.
    """
    datagrams = bind.transport == "udp"
    ipv6 = is_ipv6(bind.host)
    where = bind if port is None else bind._replace(port=port)
    sock: socket.socket | None = None
    try:
        family = socket.AF_INET6 if ipv6 else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM)
        sock.setblocking(False)
        _mark(sock, dscp, ipv6)
        if ipv6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if not datagrams and where.port:
            # A listener that was closed a moment ago leaves connections in TIME_WAIT, which hinder nobody.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((where.host, where.port))
    except (OSError, OverflowError) as error:
        if sock is not None:
            sock.close()
        why = getattr(error, "strerror", None) or str(error)
        raise BindError(f"cannot bind {bind.transport.upper()} {where}: {why}") from error
    return sock


def tune_stream(sock: socket.socket) -> None:
    """Let a connection notice a peer that is gone."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEP_IDLE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEP_INTERVAL_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEP_PROBES)


def address_of(name: tuple[str, int] | tuple[str, int, int, int], like: Address) -> Address:
    """Return a socket's name as an address of the same transport as `like`."""
    return Address(name[0], name[1], like.transport)


def _mark(sock: socket.socket, dscp: int, ipv6: bool) -> None:
    if dscp and ipv6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)
    elif dscp:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)
