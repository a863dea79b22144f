"""Every detail that evidence of forwarding can have is told in Chinese; what was sent stays as it was sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from app.checks.evidence_words import detail
from sip.progress.forwarding_signalling import RoutingSign, signalled
from sip.progress.forwarding_sound import announced, color_ring, rang_late, restarted
from sip.progress.forwarding_terms import Dialled
from sip.progress.isup import IsupMessage
from sip.progress.late_ringing import LateRinging
from sip.progress.restarts import RingRestart
from sip.record import Announcement, Evidence, EvidenceKind

DIALLED = Dialled("09173262001")
MOBILE = "<sip:13900000000@ims>"


def _sign(**more: Any) -> RoutingSign:
    return RoutingSign(**({"t_ms": 1.0, "status": 200, "message": "200"} | more))


def _heard(meaning: Any, road: Any, text: str) -> Announcement:
    return Announcement(meaning, road, 300.0, 900.0, 0.95, text, mobile=True)


def evidence() -> Iterator[Evidence]:
    """Evidence as the phone writes it: every kind, and every form that its detail can have."""
    signs = [
        _sign(status=181, message="181"),
        _sign(status=302, contacts=(MOBILE,)),
        _sign(history_info=(f"{MOBILE};index=1.1;mp=1",)),
        _sign(diversion=(f"{MOBILE};reason=no-answer",)),
        _sign(isup=IsupMessage("CPG", diverting=True)),
        _sign(isup=IsupMessage("ACM", redirection_number="13900000000")),
        _sign(isup=IsupMessage("ACM", redirection_number="13900000000", redirection_restricted=True)),
        _sign(identities=(MOBILE,)),
        _sign(identities=(MOBILE,), status=0, message="UPDATE"),
    ]
    found = [finding for sign in signs for finding in signalled(DIALLED, sign)]
    said = [
        _heard("powered_off", "words", "“您拨打的电话已关机” (关机)"),
        _heard("assistant", "sample", "sample 3: 移动秘书"),
        _heard("transfer", "words", "“正在为您转接” (转接)"),
        _heard("transfer", "sample", "sample 4: 转接中"),
    ]
    found += announced(DIALLED, said)
    restarts: list[tuple[Any, str]] = [
        ("plan", "ringback of plan us after that of plan cn"),
        ("frequency", "ringback at 425.0 Hz after 450.2 Hz"),
        ("level", "ringback at -18.0 dBm0 after -10.5 dBm0"),
        ("cadence", "a pause of 6.1 s where the line's is 4.0 s"),
        ("cadence", "a pause of 6.1 s where the line's is 4.0 s (nominal)"),
        ("music", "music after ringback"),
    ]
    found += restarted(DIALLED, [RingRestart(500.0, what, text, 100.0) for what, text in restarts])
    found += rang_late(LateRinging(7000.0, 1500.0, 3500.0, 9))
    found += color_ring(200.0)
    return (finding.evidence for finding in found)


EVERY = list(evidence())
SENT = re.compile(r"<[^>]*>|;\S*|\b(?:History-Info|Diversion|ISUP|UPDATE|ACM|CPG|Hz|dBm0)\b")


@pytest.mark.parametrize("item", EVERY, ids=[f"{n}-{item.kind}" for n, item in enumerate(EVERY)])
def test_a_detail_is_chinese(item: Evidence) -> None:
    told = detail(item.kind, item.detail)
    assert told != item.detail
    assert re.search(r"[\u4e00-\u9fff]", told)
    ours = SENT.sub("", told)
    assert not re.search(r"[A-Za-z]{4,}", ours), told


def test_every_kind_is_among_them_and_keeps_what_proves_it() -> None:
    assert {item.kind for item in EVERY} == set(get_args(EvidenceKind))
    told = {item.kind: detail(item.kind, item.detail) for item in EVERY}
    assert told["redirect"] == f"应答 302，目标 {MOBILE}"
    assert told["late_ringing"] == "拨出后 7000 毫秒才振铃，超过 3500 毫秒；此前 9 次的中位数为 1500 毫秒"
    texts = [detail(item.kind, item.detail) for item in EVERY]
    assert "ISUP ACM：转移号码 13900000000" in texts
    assert "ISUP ACM：转移号码 不予显示" in texts
    assert "播出“通信助理”，按提示音样本：样本 3：移动秘书" in texts


def test_a_detail_of_another_version_stays_as_it_is() -> None:
    assert detail("sip_181", "something else") == "something else"
    assert detail("unheard", "x") == "x"
