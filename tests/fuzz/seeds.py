"""What the corpus begins with: RFC 4475's messages, messages and descriptions of our own, and what gateways send."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from pathlib import Path

from sip.core import Address, Sdes, build_offer
from sip.core.isup_body import with_isup
from sip.media.capture import Block
from sip.media.capture_header import pack_header
from sip.media.packet_log import PacketLog, pack_log_header
from sip.media.rtp import build
from tests.fuzz.targets_endpoint import OFFER, SPLIT, STATES, THEIRS, Scene, request, response

TORTURE = Path(__file__).parents[1] / "fixtures" / "torture"
ISUP_ACM = bytes.fromhex("06160429010122020600")
ISUP_CPG = bytes.fromhex("2c0601360101000c0603107193620000")
ISUP_REL = bytes.fromhex("0c020002839000")
HEADERS = (
    '"A. Chou" <sip:62@192.0.2.2:5060;transport=tcp;lr>;tag=77asj1;q=0.5',
    "SIP / 2.0 / UDP [2001:db8::1]:5060;branch=z9hG4bK1;rport;received=192.0.2.9, SIP/2.0/TCP h",
    "4711 INVITE",
    "tel:+86-917-3262000;phone-context=+86",
    "sips:a;b:c@host.example:5061;transport=udp?Subject=x",
    'Q.850;cause=16;text="Normal, clearing"',
    "1 AES_CM_128_HMAC_SHA1_80 inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA|2^31|1:1",
    "1800;refresher=uac",
    '值班室 <sip:6001@county>;tag=x;p="\\""',
)
DIGESTS = (
    'Digest realm="a, b", nonce="n\\"", algorithm=SHA-256, qop="auth,auth-int", opaque="", stale=TRUE, userhash=true',
    'Digest realm="r",nonce="1",Digest realm="r2", nonce="2", algorithm=MD5-sess, qop=auth, Basic realm="x"',
    'Digest username="u", realm="r", nonce="5.000-00", uri="sip:c", response="0", algorithm=MD5, qop=auth, nc=00000001,'
    ' cnonce="c"',
)


def endpoint_seeds() -> Iterator[bytes]:
    """Yield for every state what may come in it, rightly addressed."""
    statuses = (
        "100 Trying",
        "180 R",
        "183 P",
        "199 E",
        "200 OK",
        "302 M",
        "401 U",
        "422 S",
        "487 T",
        "503 U",
    )
    more = (
        "Require: 100rel\r\nRSeq: 1\r\n",
        'WWW-Authenticate: Digest realm="r", nonce="n"\r\nMin-SE: 1900\r\nSession-Expires: 90;refresher=uac\r\n',
        "Record-Route: <sip:192.0.2.9;lr>, <sip:proxy.example>\r\nAllow: UPDATE\r\n",
    )
    for number, state in enumerate(STATES):
        scene = Scene(state)
        ours = scene.calls[0].local_tag
        first = bytes([number])
        if number < 4:
            asked = scene.sent[0].data
            answers = [
                response(asked, status, tag, body, extra)
                for status, tag, body, extra in itertools.product(
                    statuses, ("far", "fork"), (b"", THEIRS), more
                )
            ]
            yield from (first + SPLIT.join(answers[at : at + 5]) for at in range(0, len(answers), 5))
        methods = ("BYE", "INVITE", "UPDATE", "INFO", "OPTIONS", "PRACK", "REFER", "ACK", "CANCEL", "MESSAGE")
        asks = [
            request(method, cseq, ("far", ours), branch, body, extra)
            for method, (cseq, branch) in itertools.product(methods, ((2, "z9hG4bKm"), (1, "z9hG4bKinvite")))
            for body, extra in (
                (b"", ""),
                (OFFER, "Session-Expires: 90;refresher=uas\r\nSupported: timer\r\n"),
            )
        ]
        yield from (first + SPLIT.join(asks[at : at + 4]) for at in range(0, len(asks), 4))


def _sdp_seeds() -> Iterator[bytes]:
    for mode in ("off", "optional", "required"):
        keys = Sdes.make(mode, bytes)  # type: ignore[arg-type]
        yield build_offer(Address("192.0.2.1", 40000), 7, crypto=keys)
        yield build_offer(
            Address("2001:db8::1", 40000), 7, crypto=keys, rtcp=Address("2001:db8::2", 5), rtcp_mux=True
        )
    yield (
        b"v=0\no=- 1 2 IN IP4 h\ns=-\nc=IN IP4 192.0.2.5/127\nt=0 0\nm=video 5 RTP/AVP 31\nm=audio 0 RTP/AVP 8\n"
        b"m=audio 5000/2 RTP/SAVPF 18 101 8 0\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\na=ptime:30\n"
        b"a=maxptime:60\na=sendonly\na=rtcp:5001 IN IP4 192.0.2.6\na=fingerprint:sha-256 00\nm=image 1 udptl t38\n"
    )


def _multipart_seeds() -> Iterator[bytes]:
    for message in (ISUP_ACM, ISUP_REL):
        fields, body = with_isup((("Content-Type", "application/sdp"),), OFFER, message)
        yield "".join(f"{name}: {value}\r\n" for name, value in fields).encode() + b"\r\n" + body
    inner = b"--i\r\nContent-Type: multipart/x;boundary=j\r\n\r\n--j\r\n\r\nx\r\n--j--\r\n--i--\r\n"
    yield (
        b"Content-Type: multipart/mixed\r\n\r\n--o\r\nc: multipart/mixed;boundary=i\r\n\r\n"
        + inner
        + b"--o--"
    )
    yield b"c: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8="


def _sound_seeds() -> Iterator[bytes]:
    def framed(*packets: bytes, how: int = 0) -> bytes:
        return b"".join(bytes((min(255, len(packet) + 1), how)) + packet[:254] for packet in packets)

    steady = [build(8, 100 + n, 160 * n, 7, bytes([n]) * 160, marker=n == 0) for n in range(6)]
    yield framed(*steady)
    yield framed(steady[0], steady[2], steady[1], steady[2])
    yield framed(
        *steady[:3], build(8, 65535, 2**32 - 1, 7, b"x" * 80), build(0, 0, 79, 8, b"y" * 240), how=0xF3
    )
    yield framed(*(build(101, 1 + n, 800, 7, bytes((5, n << 7, 0, 160 * n))) for n in (0, 1, 1)))
    yield framed(
        steady[0], build(13, 101, 160, 7, b"\x40"), b"\x91\x08\x00\x07" + steady[1][4:] + b"\x00\x00\x00\x01"
    )
    report = struct.pack("!BBHIIIIII", 0x80, 200, 6, 7, 1, 2, 3, 4, 5)
    yield framed(*steady[:2], report)


def _report_seeds() -> Iterator[bytes]:
    block = struct.pack("!IIIIII", 0x01020304, 0x01FFFFFF, 9, 8, 7, 6)
    yield struct.pack("!BBHIIIIII", 0x81, 200, 12, 7, 1, 2, 3, 4, 5) + block
    yield struct.pack("!BBHI", 0x81, 201, 7, 7) + block + struct.pack("!BBHI", 0x81, 203, 1, 7)
    yield (
        b"\x0a"
        + struct.pack("!BBHI", 0x80, 201, 1, 7)
        + b"\x81\xcb\x08"
        + struct.pack("!BBHI", 0x80, 201, 1, 9)
    )


def _capture_seeds() -> Iterator[bytes]:
    yield pack_header(1e9)
    blocks = (Block("heard", 0, codes=b"\xd5" * 80), Block("sent", 8, "PCMU", b"\xff" * 40))
    blocks += (Block.pause(80, 4000), Block("alive", 4000), Block("ended", 4800))
    whole = pack_header() + b"".join(block.pack() for block in blocks)
    yield whole
    yield whole[:60] + b"\0" + whole[60:]


def _packet_seeds() -> Iterator[bytes]:
    log = PacketLog()
    log.t0 = 5.0
    log.add(5.1, ("192.0.2.2", 4000), b"x" * 40, local=("192.0.2.1", 4002), encrypted=True)
    log.add(5.05, ("::1", 4001), b"y" * 20, local=("::1", 4003), sent=True, rtcp=True)
    yield pack_log_header(1e9, 5.0) + log.take()[1]


def seeds() -> dict[str, list[bytes]]:
    """Return the seeds of every target."""
    torture = [path.read_bytes() for path in sorted(TORTURE.glob("*.dat"))]
    scenes = [piece for seed in endpoint_seeds() for piece in seed[1:].split(SPLIT)]
    return {
        "framing": [*torture, *scenes[::7]],
        "stream": [b"\x07" + a + b for a, b in itertools.pairwise(torture)] + [b"\x03\r\n\r\n" + scenes[0]],
        "values": [text.encode() for text in HEADERS],
        "sdp": [bytes([number % 3]) + seed for number, seed in enumerate(_sdp_seeds())],
        "digest": [text.encode() for text in DIGESTS],
        "multipart": list(_multipart_seeds()),
        "isup": [ISUP_ACM, ISUP_CPG, ISUP_REL],
        "endpoint": [*endpoint_seeds(), *(b"\4" + message for message in torture[::3])],
        "rtp": list(_sound_seeds()),
        "rtcp": list(_report_seeds()),
        "capture": list(_capture_seeds()),
        "packets": list(_packet_seeds()),
    }
