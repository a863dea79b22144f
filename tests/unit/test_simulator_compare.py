"""A record is held against what its line demands."""

from dataclasses import replace

import pytest

from sip.record import CallRecord, EarlyMedia, Evidence, Forwarding, Rings
from sip.simulator import BEHAVIOURS, differences

RIGHT = CallRecord(
    target="sip:62@127.0.0.1",
    call_id="1",
    started_at="2026-11-22T20:27:13+08:00",
    clock_synchronised=True,
    outcome="answered",
    answered_by="human",
    answer_source="signalling",
    sip_status=200,
    ring_to_answer_ms=9003.5,
    rings=Rings(2, "audio"),
    three_ring="within",
    early_media=EarlyMedia("ringback"),
    ended_by="them",
)


def test_a_right_record_has_no_difference():
    assert differences(BEHAVIOURS["62"].expect, RIGHT) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"outcome": "busy"}, "outcome is busy, must be answered"),
        ({"answered_by": None}, "answered_by is None, must be human"),
        ({"three_ring": "exceeded"}, "three_ring is exceeded, must be within"),
        ({"rings": Rings(3, "audio")}, "rings.count is 3, must be 2"),
        ({"ring_to_answer_ms": 9151.0}, "ring_to_answer_ms is 9151.0, must be 9000 ± 150"),
        ({"ring_to_answer_ms": None}, "ring_to_answer_ms is null"),
        ({"answer_source": "in_band"}, "answer_source is in_band"),
        ({"sip_status": 480}, "sip_status is 480"),
        ({"early_media": EarlyMedia("crbt")}, "early_media.kind is crbt, must be ringback"),
        (
            {"forwarding": Forwarding(detected=True, grade="strong")},
            "forwarding.detected is True, must be False",
        ),
        ({"ended_by": "us"}, "ended_by is us, must be them"),
    ],
)
def test_each_difference_is_named(change, words):
    found = differences(BEHAVIOURS["62"].expect, replace(RIGHT, **change))
    assert any(words in difference for difference in found)
    assert len(found) == 1


def test_what_is_left_out_is_not_compared():
    record = replace(
        RIGHT, outcome="no_answer", answered_by=None, three_ring="not_applicable", sip_status=487
    )
    assert differences(BEHAVIOURS["71"].expect, replace(record, early_media=EarlyMedia("none"))) == ()


def test_several_acceptable_values():
    expect = BEHAVIOURS["99"].expect
    record = replace(
        RIGHT, outcome="unreachable", three_ring="not_applicable", early_media=EarlyMedia("announcement")
    )
    assert differences(expect, record) == ()
    assert differences(expect, replace(record, line_state="powered_off")) == ()
    assert differences(expect, replace(record, line_state="suspended")) == (
        "line_state is suspended, must be powered_off or None",
    )


def with_evidence(grade, *kinds):
    signs = tuple(Evidence(kind, grade, 100.0, "seen") for kind in kinds)
    return replace(RIGHT, forwarding=Forwarding(grade == "definitive", grade, evidence=signs))


def test_evidence_must_be_found_may_be_found_or_must_not_be():
    plain, restarting, proving = (BEHAVIOURS[extension].expect for extension in ("62", "996", "1812"))
    medium = with_evidence("medium", "ringback_restart")
    assert differences(plain, medium) == ("forwarding.evidence has ringback_restart, must not",)
    alike = replace(restarting, three_ring="within", rings=2, ring_to_answer_ms=None, early_media=())
    assert differences(alike, medium) == ()
    assert "forwarding.evidence lacks ringback_restart" in differences(alike, RIGHT)
    hinting = replace(alike, evidence=(), evidence_if_understood=("ringback_restart",), forwarding_grade=())
    assert differences(hinting, medium) == differences(hinting, RIGHT) == ()
    found = differences(replace(proving, three_ring="within", rings=2, ring_to_answer_ms=9000.0), RIGHT)
    assert "forwarding.evidence lacks diversion" in found


def test_no_line_is_proven_to_be_forwarded_unless_it_says_so():
    expect = replace(BEHAVIOURS["993"].expect, forwarding_grade=(), forwarded=None, evidence_if_understood=())
    assert differences(expect, with_evidence("strong", "transfer_announcement")) == ()
    assert differences(expect, with_evidence("definitive", "sip_181")) == (
        "forwarding.grade is definitive, must be none or weak or medium or strong",
    )
