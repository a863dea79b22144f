"""What fuzzing found in the phone above the core, each as the shortest story that shows it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sip.core import parse_message
from sip.phone import Phone, Script
from tests.fuzz.far_side import response_to
from tests.fuzz.lean_line import LeanLine

THEIR_SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\n"
)


@pytest.mark.timeout(60)
async def test_a_second_telephone_that_answers_ends_nothing_when_it_is_hung_up(tmp_path: Path) -> None:
    """Its BYE leaves while the call goes on: the record and the recording last until the call's own end."""
    far = await LeanLine.open()
    try:
        async with Phone() as phone:
            script = Script(max_ring_s=20, max_talk_s=30, capture=tmp_path / "capture")
            placed = asyncio.ensure_future(phone.call(f"sip:b2@{far.local}", script))
            await asyncio.sleep(1.2)
            invite = parse_message(next(data for data in far.heard if data.startswith(b"INVITE")))
            other = f"Contact: <sip:other@{far.local}>\r\n"
            far.send(response_to(invite, 200, "other", THEIR_SDP, other), phone.addresses[0])
            record = await placed
    finally:
        await far.close()
    (bye,) = (parse_message(message) for message in far.heard if message.startswith(b"BYE"))
    assert bye.to.tag == "other"
    left_ms = [e.t_ms for e in record.timeline if e.event == "sent" and e.fields.get("method") == "BYE"]
    assert (record.outcome, record.ended_by) == ("answered", "them")
    assert record.ended_ms > left_ms[0] + 500
