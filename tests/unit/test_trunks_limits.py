"""Caps hold by the clock that is given."""

from __future__ import annotations

import pytest

from sip.trunks import Admission, CapError, Caps


def refusal(admission: Admission, now: float, called: str = "3262000", caller: str = "") -> CapError:
    with pytest.raises(CapError) as caught:
        admission.admit(now, called, caller)
    return caught.value


def test_no_more_calls_than_the_trunk_bears_at_once() -> None:
    admission = Admission(Caps(concurrency=2, calls_per_s=None))
    first = admission.admit(0.0, "1")
    admission.admit(0.0, "2")
    error = refusal(admission, 0.0)
    assert (error.which, error.retry_after_s, error.passes_by_waiting) == ("concurrency", None, True)
    assert admission.next_slot(0.0) is None
    admission.release(first)
    admission.release(first)
    assert admission.calls_now == 1
    assert admission.next_slot(0.0) == 0.0
    admission.admit(0.0, "3")


def test_calls_leave_at_the_rate_after_a_burst() -> None:
    admission = Admission(Caps(concurrency=None, calls_per_s=2.0, burst=3, per_called=None))
    for _ in range(3):
        admission.admit(10.0, "62")
    error = refusal(admission, 10.0)
    assert (error.which, error.retry_after_s) == ("rate", 0.5)
    assert admission.next_slot(10.2) == pytest.approx(10.5)
    admission.admit(10.5, "62")
    assert refusal(admission, 10.5).retry_after_s == pytest.approx(0.5)
    for _ in range(3):
        admission.admit(1000.0, "62")
    assert refusal(admission, 1000.0).which == "rate"


def test_the_named_moment_is_late_enough() -> None:
    admission = Admission(Caps(concurrency=None, calls_per_s=0.3, per_called=None))
    now = 12345.678
    for _ in range(200):
        admission.admit(now, "62")
        slot = admission.next_slot(now)
        assert slot is not None
        assert slot > now
        now = slot


def test_a_number_is_called_only_so_often_however_it_is_written() -> None:
    admission = Admission(Caps(None, None, 1, (3, 3600.0)), area_code="917")
    for at, text in enumerate(["0917-3262000", "+86 917 3262000", "3262000"]):
        admission.release(admission.admit(float(at), text))
    error = refusal(admission, 10.0, "0086-917-3262000")
    assert (error.which, error.retry_after_s, error.passes_by_waiting) == ("per_called", 3590.0, False)
    admission.admit(10.0, "3262001")
    admission.admit(3600.0, "3262000")
    assert refusal(admission, 3600.5).which == "per_called"


def test_names_are_counted_too() -> None:
    admission = Admission(Caps(None, None, 1, (1, 60.0)))
    admission.admit(0.0, "sip:Duty@pbx.example")
    assert refusal(admission, 1.0, " sip:duty@pbx.example").which == "per_called"


def test_one_identity_calls_only_so_often() -> None:
    admission = Admission(Caps(None, None, 1, None, (2, 60.0)))
    admission.admit(0.0, "1", "sip:a@h")
    admission.admit(1.0, "2", "sip:a@h")
    assert refusal(admission, 2.0, "3", "sip:a@h").which == "per_caller"
    admission.admit(2.0, "3", "sip:b@h")
    admission.admit(60.0, "3", "sip:a@h")


def test_a_refused_call_costs_nothing() -> None:
    admission = Admission(Caps(concurrency=1, calls_per_s=1.0, per_called=(2, 60.0)))
    ticket = admission.admit(0.0, "62")
    for _ in range(5):
        refusal(admission, 1.0, "62")
    admission.release(ticket)
    admission.admit(1.0, "62")
    assert admission.calls_now == 1


def test_without_caps_nothing_is_refused() -> None:
    admission = Admission(Caps.unlimited())
    for _ in range(2000):
        admission.admit(0.0, "62", "sip:a@h")
    assert admission.calls_now == 2000


def test_a_clock_that_steps_back_gives_no_tokens() -> None:
    admission = Admission(Caps(None, 1.0, 1, None))
    admission.admit(100.0, "1")
    assert refusal(admission, 50.0).which == "rate"
    assert refusal(admission, 100.5).retry_after_s == pytest.approx(0.5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"concurrency": 0},
        {"calls_per_s": 0.0},
        {"burst": 0},
        {"per_called": (0, 60.0)},
        {"per_caller": (1, 0.0)},
    ],
)
def test_caps_that_admit_nothing_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Caps(**wrong)  # type: ignore[arg-type]


def test_a_call_that_could_not_leave_counts_towards_no_quota() -> None:
    admission = Admission(
        Caps(concurrency=None, calls_per_s=None, per_called=(1, 60.0), per_caller=(1, 60.0))
    )
    ticket = admission.admit(0.0, "0917-3262000", "us")
    admission.withdraw(ticket)
    admission.withdraw(ticket)
    admission.release(ticket)
    assert admission.calls_now == 0
    admission.release(admission.admit(1.0, "0917-3262000", "us"))
    with pytest.raises(CapError):
        admission.admit(2.0, "0917-3262000", "us")
