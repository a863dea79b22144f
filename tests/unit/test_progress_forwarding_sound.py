"""Forwarding as it is heard: each kind with its grade, what agrees with what, and what never proves anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.progress.forwarding import RoutingSign, detect_forwarding, reconsider_forwarding
from sip.progress.isup import IsupMessage
from sip.progress.late_ringing import LateRinging, late_ringing
from sip.record import GRADES, Announcement, Forwarding

WIRED, MOBILE = "sip:05173212345@pbx.example", "sip:013912345678@pbx.example"


def said(meaning: Any, start_ms: float = 1000.0, **changes: Any) -> Announcement:
    given = {"road": "words", "end_ms": start_ms + 3000.0, "confidence": 0.95, "detail": "heard"} | changes
    return Announcement(meaning=meaning, start_ms=start_ms, **given)


@dataclass(frozen=True)
class Restart:
    t_ms: float
    what: str = "frequency"
    detail: str = "450 to 455 Hz"
    since_ms: float = 0.0


def found(*announcements: Announcement, dialled: str = WIRED, **options: Any) -> Forwarding:
    return detect_forwarding(dialled, options.pop("signs", ()), announcements=announcements, **options)


def kinds(result: Forwarding) -> dict[str, str]:
    return {item.kind: item.grade for item in result.evidence}


@pytest.mark.parametrize(
    ("meaning", "mobile", "grade"),
    [
        ("powered_off", True, "strong"),
        ("powered_off", False, "strong"),
        ("not_reachable", True, "strong"),
        ("not_reachable", False, "medium"),
        ("assistant", True, "strong"),
        ("assistant", False, "medium"),
        ("call_reminder", True, "medium"),
        ("mailbox", False, "medium"),
        ("mailbox", True, "medium"),
        ("suspended", True, "medium"),
    ],
)
def test_a_mobile_announcement_on_a_wired_line(meaning: str, mobile: bool, grade: str) -> None:
    result = found(said(meaning, mobile=mobile))
    assert kinds(result) == {"mobile_announcement": grade}
    assert result.evidence[0].t_ms == 1000.0
    assert result.detected == (grade == "strong")
    assert result.target_class == ("mobile" if grade == "strong" else None)


@pytest.mark.parametrize(
    "meaning", ["suspended", "unobtainable", "busy", "in_call", "arrears", "own_line", "menu"]
)
def test_what_a_wired_line_can_say_too_proves_nothing(meaning: str) -> None:
    assert found(said(meaning)) == Forwarding()


@pytest.mark.parametrize("road", ["tone", "signalling"])
def test_a_state_that_nobody_announced_proves_nothing(road: str) -> None:
    assert (
        found(said("not_reachable", road=road), said("powered_off", road=road, mobile=True)) == Forwarding()
    )


@pytest.mark.parametrize(
    "dialled", [MOBILE, "sip:+8613912345678@h", "sip:9013912345678@trunk", "tel:913912345678"]
)
def test_a_mobile_that_was_dialled_proves_nothing(dialled: str) -> None:
    assert found(said("powered_off", mobile=True), dialled=dialled) == Forwarding()
    # A mobile can be forwarded too, and its network may say so.
    assert kinds(found(said("transfer"), dialled=dialled)) == {"transfer_announcement": "strong"}


def test_an_unsure_reading_is_worth_less() -> None:
    assert kinds(found(said("powered_off", confidence=0.6))) == {"mobile_announcement": "medium"}
    assert kinds(found(said("mailbox", confidence=0.6))) == {"mobile_announcement": "weak"}
    assert not found(said("transfer", confidence=0.6)).detected


def test_a_transfer_notice_tells_its_condition_by_the_rings_before_it() -> None:
    before = found(said("transfer"), ring_started_ms=5000.0)
    after = found(said("transfer", 16_000.0), ring_started_ms=200.0)
    assert (before.grade, before.condition, before.target) == ("strong", "always", None)
    assert (after.grade, after.condition) == ("strong", "no_answer")


def test_what_a_switchboard_says_of_its_extensions_proves_nothing() -> None:
    options: dict[str, Any] = {"switchboard": True, "restarts": [Restart(9000.0)]}
    assert found(said("transfer"), **options) == Forwarding()
    # A mobile behind an extension is still a mobile.
    assert found(said("powered_off", mobile=True), **options).grade == "strong"
    # Said after an answer it may be the words of a switchboard that nobody registered.
    assert kinds(found(said("transfer", 4000.0), connected_ms=3000.0)) == {"transfer_announcement": "medium"}


def test_ringback_that_starts_anew_is_medium_and_speaks_of_no_answer() -> None:
    result = found(restarts=[Restart(11_000.0), Restart(16_000.0)])
    assert [(e.kind, e.grade, e.t_ms, e.detail) for e in result.evidence] == [
        ("ringback_restart", "medium", 11_000.0, "frequency: 450 to 455 Hz")
    ]
    assert (result.detected, result.grade, result.condition) == (False, "medium", None)
    identity = RoutingSign(5.0, 200, identities=("<tel:+8613900001811>",))
    both = found(restarts=[Restart(11_000.0)], signs=[identity])
    assert (both.grade, both.condition, both.target_class) == ("strong", "no_answer", "mobile")


def test_ringback_that_is_no_other_call_s_is_left_out() -> None:
    def dialogs(*starts_ms: float) -> list[RoutingSign]:
        return [RoutingSign(at, 180, dialog=f"tag{at}") for at in starts_ms]

    anew = Restart(12_000.0, since_ms=6000.0)
    early = Restart(1500.0, since_ms=1000.0)
    assert kinds(found(restarts=[anew], answered_ms=14_000.0))
    # A waiting loop after the answer, several telephones of a group.
    assert found(restarts=[anew], answered_ms=11_000.0) == Forwarding()
    assert found(restarts=[early], signs=dialogs(200.0, 1200.0)) == Forwarding()
    assert kinds(found(restarts=[early], signs=dialogs(200.0)))
    # A dialog that begins only after the rings of the first is where the call went next.
    assert kinds(found(restarts=[anew], signs=dialogs(200.0, 11_000.0))) == {"ringback_restart": "medium"}


LATE = LateRinging(9000.0, 1000.0, 3000.0, 20)


def test_however_many_weak_and_medium_signs_make_no_detection() -> None:
    result = found(
        said("mailbox"),
        said("not_reachable", 9000.0),
        restarts=[Restart(11_000.0)],
        late=LATE,
        crbt_ms=300.0,
        same_unit=("0517-3212000",),
    )
    assert kinds(result) == {
        "mobile_announcement": "medium",
        "ringback_restart": "medium",
        "late_ringing": "medium",
        "crbt": "weak",
    }
    assert (result.detected, result.grade, result.target_class, result.condition) == (
        False,
        "medium",
        None,
        None,
    )


MOBILE_IDENTITY = RoutingSign(5.0, 200, identities=("<tel:+8613900001811>",))
PILOT_IDENTITY = RoutingSign(5.0, 200, identities=("<tel:+865178888000>",))


@pytest.mark.parametrize(
    ("announcements", "signs", "grade"),
    [
        ([said("powered_off")], [MOBILE_IDENTITY], "near_proof"),
        ([said("transfer")], [MOBILE_IDENTITY], "near_proof"),
        ([said("transfer"), said("powered_off", 6000.0)], [], "near_proof"),
        # Two readings of one announcement are one sign.
        ([said("transfer"), said("powered_off", 2000.0)], [], "strong"),
        # A desk that answers is not the mobile whose network spoke.
        ([said("powered_off")], [PILOT_IDENTITY], "strong"),
        # A switchboard nobody registered shows its own number and says that it connects.
        ([said("transfer")], [PILOT_IDENTITY], "strong"),
        ([said("powered_off"), said("not_reachable", 6000.0, mobile=True)], [], "strong"),
        ([], [MOBILE_IDENTITY, RoutingSign(9.0, 0, identities=("<tel:13900001812>",))], "strong"),
        ([said("mailbox")], [MOBILE_IDENTITY], "strong"),
    ],
)
def test_two_strong_signs_are_near_proof_only_where_they_agree(
    announcements: list[Announcement], signs: list[RoutingSign], grade: str
) -> None:
    result = found(*announcements, signs=signs)
    assert result.grade == grade
    assert all(item.grade != "near_proof" for item in result.evidence)


def test_the_strongest_of_a_kind_is_kept() -> None:
    result = found(said("not_reachable"), said("powered_off", 6000.0))
    assert [(item.grade, item.t_ms) for item in result.evidence] == [("strong", 6000.0)]


@pytest.mark.parametrize(
    ("delay_ms", "history_ms", "limit_ms"),
    [
        (9000.0, (200.0, 210.0, 190.0), 2200.0),
        (9000.0, (1000.0, 3000.0, 2000.0), 5000.0),
        (9000.0, (2000.0, 2000.0, 2000.0, 9000.0), 4000.0),
    ],
)
def test_late_is_over_the_median_and_three_deviations(
    delay_ms: float, history_ms: tuple[float, ...], limit_ms: float
) -> None:
    late = late_ringing(delay_ms, history_ms)
    assert late is not None
    assert late.limit_ms == limit_ms
    assert late_ringing(limit_ms, history_ms) is None
    result = found(late=late)
    assert kinds(result) == {"late_ringing": "weak"}
    assert result.evidence[0].t_ms == delay_ms
    assert not result.detected


@pytest.mark.parametrize(
    ("delay_ms", "history_ms"),
    [
        (None, (200.0, 200.0, 200.0)),
        (9000.0, ()),
        (9000.0, (200.0, 200.0)),
        (400.0, (200.0, 200.0, 200.0)),
        (2200.0, (200.0, 200.0, 200.0)),
        (9000.0, (3000.0, 6000.0, 9000.0)),
    ],
)
def test_without_history_or_within_it_nothing_is_late(
    delay_ms: float | None, history_ms: tuple[float, ...]
) -> None:
    assert late_ringing(delay_ms, history_ms) is None


def test_a_long_history_makes_a_better_hint() -> None:
    late = late_ringing(9000.0, (200.0,) * 8)
    assert kinds(found(late=late)) == {"late_ringing": "medium"}


@given(st.lists(st.floats(0, 60_000), max_size=30), st.floats(0, 60_000))
def test_a_call_like_the_others_is_never_late(history_ms: list[float], at: float) -> None:
    if not history_ms:
        assert late_ringing(at, history_ms) is None
        return
    ordered = sorted(history_ms)
    assert late_ringing(ordered[len(ordered) // 2], history_ms) is None or len(history_ms) % 2 == 0
    assert late_ringing(min(history_ms), history_ms) is None


announcements = st.builds(
    Announcement,
    meaning=st.sampled_from(
        [
            "powered_off",
            "not_reachable",
            "transfer",
            "mailbox",
            "assistant",
            "call_reminder",
            "busy",
            "arrears",
            "menu",
        ]
    ),
    road=st.sampled_from(["words", "sample", "tone", "signalling"]),
    start_ms=st.floats(0, 30_000),
    end_ms=st.floats(30_000, 60_000),
    confidence=st.floats(0, 1),
    detail=st.just("x"),
    mobile=st.booleans(),
)


@given(
    st.lists(announcements, max_size=5),
    st.lists(st.builds(Restart, st.floats(0, 60_000)), max_size=3),
    st.none() | st.just(LATE),
    st.none() | st.floats(0, 9000),
    st.booleans(),
)
def test_sound_alone_is_never_definitive(
    heard: list[Announcement],
    restarts: list[Restart],
    late: LateRinging | None,
    crbt_ms: float | None,
    switchboard: bool,
) -> None:
    result = found(*heard, restarts=restarts, late=late, crbt_ms=crbt_ms, switchboard=switchboard)
    assert result.grade != "definitive"
    assert result.detected == (GRADES.index(result.grade) >= GRADES.index("strong"))
    if result.detected:
        assert any(item.kind in ("mobile_announcement", "transfer_announcement") for item in result.evidence)
    if result.grade == "near_proof":
        strong = {item.kind for item in result.evidence if item.grade == "strong"}
        assert strong == {"mobile_announcement", "transfer_announcement"}


@pytest.mark.parametrize(
    "sign",
    [
        # The line itself at another address, in full, or at its extension.
        RoutingSign(5.0, 302, contacts=("<sip:2345@10.0.0.9>",)),
        RoutingSign(5.0, 302, contacts=("<sip:05173212345@10.0.0.9>;q=0.9", "<sip:13900001111@gw>;q=0.1")),
        RoutingSign(5.0, 180, history_info=("<sip:05173212345@a>;index=1", "<sip:2345@b>;index=1.1;mp=1")),
        # How a proxy came to try another place of the same user says nothing of forwarding.
        RoutingSign(
            5.0,
            180,
            history_info=(
                "<sip:05173212345@a?Reason=SIP%3Bcause%3D408>;index=1",
                "<sip:agent7@b>;index=1.1;rc=1",
            ),
        ),
        RoutingSign(5.0, 183, isup=IsupMessage("ACM", may_divert=True)),
    ],
)
def test_other_writings_of_the_dialled_line_are_no_target(sign: RoutingSign) -> None:
    assert detect_forwarding(WIRED, [sign]) == Forwarding()


def test_a_short_number_that_ends_another_is_another_target() -> None:
    redirected = RoutingSign(5.0, 302, contacts=("<sip:162@pbx>",))
    mapped = RoutingSign(5.0, 180, history_info=("<sip:62@a>;index=1", "<sip:162@b>;index=1.1;mp=1"))
    for sign in (redirected, mapped):
        assert detect_forwarding("sip:62@pbx", [sign]).grade == "definitive"


def test_a_service_number_always_leads_to_another_line() -> None:
    shown = RoutingSign(5.0, 200, identities=("<tel:+862988881234>",))
    mapped = RoutingSign(
        5.0, 180, history_info=("<sip:4008001234@a>;index=1", "<sip:02988881234@b>;index=1.1;mp=1")
    )
    for dialled in ("sip:4008001234@h", "sip:12345@h", "sip:96123@h"):
        assert detect_forwarding(dialled, [shown, mapped]) == Forwarding()
        assert detect_forwarding(dialled, [MOBILE_IDENTITY]).grade == "strong"


@pytest.mark.parametrize("written", ["05173212345", "+865173212345", "3212345", "2345", "9005173212345"])
def test_an_identity_in_another_writing_is_the_line_itself(written: str) -> None:
    shown = RoutingSign(5.0, 200, identities=(f"<sip:{written}@ims.example>",))
    assert detect_forwarding(WIRED, [shown]) == Forwarding()


HEADERS = [
    MOBILE_IDENTITY,
    PILOT_IDENTITY,
    RoutingSign(5.0, 181),
    RoutingSign(5.0, 180, diversion=("<sip:13900001812@h>;reason=no-answer",)),
    RoutingSign(5.0, 302, contacts=("<sip:13900001813@h>",)),
]


@given(
    st.lists(st.sampled_from(HEADERS), max_size=3, unique_by=id),
    st.lists(announcements, max_size=3),
    st.lists(st.builds(Restart, st.floats(0, 60_000)), max_size=1),
    st.booleans(),
)
def test_a_record_reconsidered_is_what_the_call_would_have_said(
    signs: list[RoutingSign], heard: list[Announcement], restarts: list[Restart], switchboard: bool
) -> None:
    options: dict[str, Any] = {"switchboard": switchboard, "ring_started_ms": 900.0, "connected_ms": 20_000.0}
    at_once = detect_forwarding(WIRED, signs, announcements=heard, restarts=restarts, **options)
    silent = detect_forwarding(WIRED, signs, restarts=restarts, **options)
    later = reconsider_forwarding(silent, WIRED, heard, **options)
    assert (later.detected, later.grade, later.target) == (at_once.detected, at_once.grade, at_once.target)
    assert later.target_class == at_once.target_class
    assert {(e.kind, e.grade, e.t_ms) for e in later.evidence} == {
        (e.kind, e.grade, e.t_ms) for e in at_once.evidence
    }
    # Once more with the same words, and with none: nothing is counted twice, nothing stays behind.
    assert reconsider_forwarding(later, WIRED, heard, **options) == later
    assert reconsider_forwarding(later, WIRED, [], **options).grade == silent.grade


def test_a_colour_ring_that_was_an_announcement_is_taken_back() -> None:
    known = detect_forwarding(WIRED, [], crbt_ms=300.0)
    assert reconsider_forwarding(known, WIRED, [], crbt=False) == Forwarding()
    assert reconsider_forwarding(known, WIRED, []) == known
    assert kinds(reconsider_forwarding(known, WIRED, [said("powered_off")], crbt=False)) == {
        "mobile_announcement": "strong"
    }
