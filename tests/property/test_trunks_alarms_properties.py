"""Whatever a board is told, an alarm stands only from a sign to its contrary."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sip.trunks import AlarmBoard, AlarmKind, CallFacts, TrunkStatus
from sip.trunks.signs import SURE_TROUBLES

FACTS = st.builds(
    CallFacts,
    called=st.sampled_from(["61", "62", "0917-3262000", "+869173262000", "sip:duty@h"]),
    status=st.none() | st.sampled_from([200, 401, 402, 403, 404, 480, 486, 487, 488, 500, 503, 603]),
    alerted=st.booleans(),
    answered=st.booleans(),
    talk_s=st.sampled_from([0.0, 20.0]),
    received_packets=st.sampled_from([0, 900]),
    sent_packets=st.sampled_from([0, 900]),
    line_state=st.none() | st.sampled_from(["arrears", "own_line", "wrong_prefix", "suspended"]),
    trouble=st.none() | st.sampled_from(sorted(SURE_TROUBLES)),
    cancelled=st.booleans(),
)


@given(st.lists(FACTS, max_size=30))
def test_what_stands_is_what_was_raised_and_not_cleared(history: list[CallFacts]) -> None:
    board = AlarmBoard()
    expected: set[AlarmKind] = set()
    for now, facts in enumerate(history):
        noted = board.note_call("t", facts, float(now))
        assert set(noted.raised) <= set(noted.shown)
        assert not set(noted.cleared) & set(noted.shown)
        assert set(noted.cleared) <= expected
        expected = (expected | set(noted.raised)) - set(noted.cleared)
        found = {alarm.kind for status in board.statuses(float(now)) for alarm in status.alarms}
        assert found == expected
    for status in board.statuses(1e6):
        assert TrunkStatus.from_dict(status.to_dict()) == status


@given(st.lists(FACTS, max_size=20))
def test_a_sound_call_leaves_nothing_standing_but_what_needs_another_proof(history: list[CallFacts]) -> None:
    board = AlarmBoard()
    for now, facts in enumerate(history):
        board.note_call("t", facts, float(now))
    sound = CallFacts("62", 200, alerted=True, answered=True, talk_s=20, received_packets=9, sent_packets=9)
    board.note_call("t", sound, 100.0)
    standing = {alarm.kind for status in board.statuses(100.0) for alarm in status.alarms}
    assert standing <= {AlarmKind.MEDIA_ENGINE_FULL}, "one call does not show that there is room for another"
    board.note_engine(full=False, detail="", now=100.0)
    assert all(not status.alarms for status in board.statuses(100.0))
    assert board.status("t", 100.0).state == "up"
