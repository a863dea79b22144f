"""No sequence of calls exceeds the caps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sip.trunks import Admission, CapError, Caps, Ticket

STEPS = st.lists(
    st.tuples(st.floats(0, 5, allow_nan=False), st.sampled_from(["61", "62", "0917-3262000"]), st.booleans()),
    max_size=80,
)


@given(STEPS, st.integers(1, 3), st.sampled_from([0.5, 1.0, 3.0]), st.integers(1, 3), st.integers(1, 4))
def test_caps_hold_over_any_sequence(
    steps: list[tuple[float, str, bool]], concurrency: int, rate: float, burst: int, count: int
) -> None:
    window_s = 10.0
    admission = Admission(Caps(concurrency, rate, burst, (count, window_s)))
    now, under_way, admitted = 0.0, list[Ticket](), list[Ticket]()
    for pause, called, ends in steps:
        now += pause
        if ends and under_way:
            admission.release(under_way.pop(0))
        try:
            ticket = admission.admit(now, called)
        except CapError:
            continue
        under_way.append(ticket)
        admitted.append(ticket)
        assert admission.calls_now == len(under_way) <= concurrency
    for ticket in admitted:
        since = [t for t in admitted if ticket.admitted_at <= t.admitted_at]
        same = [
            t for t in since if t.called == ticket.called and t.admitted_at < ticket.admitted_at + window_s
        ]
        assert len(same) <= count
        for span_s in (0.0, 1.0, 7.0):
            inside = [t for t in since if t.admitted_at <= ticket.admitted_at + span_s]
            assert len(inside) <= burst + rate * span_s + 1e-6
