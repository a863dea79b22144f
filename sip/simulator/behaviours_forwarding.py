"""The built-in lines that lead elsewhere, or seem to: one for each kind of evidence of forwarding."""

from __future__ import annotations

from dataclasses import replace

from sip.simulator.script_parts import (
    END,
    MEDIA_ONLY,
    PICK_UP_S,
    RING_PERIOD_S,
    RINGBACK,
    RINGING,
    RINGING_HEARD,
    SET_UP_S,
    announced,
    answered,
    failed,
    forwarded,
    hinted,
    picked_up,
    rings,
    talk,
)
from sip.simulator.steps import Behaviour, Expectation, Play, Provisional, Quiet, Redirect, Reject, Say, Wait

RESTART_GAP_S = 2.5
"""Between the first ringback and the second: with the pause before it a gap no cadence has."""

_HISTORY = (
    (
        "History-Info",
        "<sip:{user}@{host}>;index=1, <sip:13900001811@{host};user=phone;cause=302>;index=1.1;mp=1",
    ),
)
_DIVERSION = (("Diversion", "<sip:{user}@{host}>;reason=no-answer;counter=1"),)

_IDENTITY = (("P-Asserted-Identity", "<tel:+8613900001813>"),)
_REDIRECTION_ISUP = "0616040136011a0c08831031090010180400"
"""ACM (Q.763) with call diversion information, unconditional, and Redirection Number 13900001814."""

SIGNALLED = (
    Behaviour(
        "181",
        "forwarded-181",
        "呼叫前转（181），转到手机后接听",
        (
            Wait(SET_UP_S),
            Provisional(181),
            Wait(1.5),
            RINGING_HEARD,
            RINGBACK,
            rings(2),
            *talk("mobile_01"),
        ),
        forwarded(answered(2), "sip_181"),
    ),
    Behaviour(
        "302",
        "redirected-302",
        "重定向到手机（302）",
        (Wait(0.1), Redirect("sip:13900000302@{host}")),
        forwarded(failed(Expectation("redirected", sip_status=302)), "redirect"),
    ),
    Behaviour(
        "1811",
        "history-info",
        "无条件呼叫前转，History-Info 可见",
        (
            Wait(SET_UP_S),
            Provisional(180, headers=_HISTORY),
            rings(2),
            *talk("mobile_01", headers=_HISTORY),
        ),
        forwarded(answered(2), "history_info"),
    ),
    Behaviour(
        "1812",
        "diversion",
        "无应答后呼叫前转，Diversion 可见",
        (
            Wait(SET_UP_S),
            RINGING,
            Wait(2 * RING_PERIOD_S),
            Provisional(180, headers=_DIVERSION),
            Wait(PICK_UP_S),
            *talk("mobile_01", ends=True),
        ),
        forwarded(answered(3), "diversion"),
    ),
    Behaviour(
        "1813",
        "asserted-identity",
        "应答时网络标识为另一手机号码（P-Asserted-Identity）",
        (Wait(SET_UP_S), RINGING, rings(2), *talk("mobile_01", headers=_IDENTITY)),
        forwarded(answered(2), "asserted_identity", "strong"),
    ),
    Behaviour(
        "1814",
        "redirection-number",
        "交换机以 ISUP 告知转移号码（SIP-I）",
        (
            Wait(SET_UP_S),
            Provisional(183, sdp=True, isup=_REDIRECTION_ISUP),
            Wait(1),
            RINGING,
            RINGBACK,
            rings(2),
            *talk("mobile_01", ends=True),
        ),
        forwarded(answered(2), "redirection_number"),
    ),
)

HEARD = (
    Behaviour(
        "993",
        "transfer-notice",
        "播放呼叫转移提示后振铃并接听",
        (
            Wait(0.5),
            MEDIA_ONLY,
            Wait(0.2),
            Say("transfer_notice"),
            Wait(0.5),
            RINGING,
            RINGBACK,
            rings(2),
            *talk("mobile_01", ends=True),
        ),
        hinted(
            Expectation("answered", answered_by=("human",), answer_source="signalling", sip_status=200),
            "transfer_announcement",
        ),
    ),
    Behaviour(
        "994",
        "out-of-area",
        "固定电话提示用户不在服务区，再回 480",
        announced("out_of_area", Reject(480)),
        hinted(
            failed(
                Expectation("unreachable", early_media=("announcement",), line_state=("not_reachable", None))
            ),
            "mobile_announcement",
        ),
    ),
    Behaviour(
        "995",
        "our-arrears",
        "提示我方线路欠费，再回 403：我方故障，与单位无关",
        announced("arrears", Reject(403)),
        failed(
            Expectation(
                "network_failure",
                early_media=("announcement",),
                line_state=("arrears", "own_line", None),
                forwarded=False,
            )
        ),
    ),
    Behaviour(
        "996",
        "ringback-restarts",
        "响两声后回铃音中断，换成另一频率和音量重新响铃",
        (
            Wait(SET_UP_S),
            RINGING_HEARD,
            RINGBACK,
            Wait(2 * RING_PERIOD_S - 1.0),
            Quiet(),
            Wait(RESTART_GAP_S),
            Play("ringback_far", loop=True),
            Wait(PICK_UP_S),
            *talk("mobile_01", ends=True),
        ),
        replace(
            answered(3),
            rings=None,
            ring_to_answer_ms=1000 * (2 * RING_PERIOD_S - 1.0 + RESTART_GAP_S + PICK_UP_S),
            three_ring="exceeded",
            early_media=("ringback",),
            evidence=("ringback_restart",),
            forwarding_grade=("medium",),
        ),
    ),
    Behaviour(
        "997",
        "late-ringing",
        "比本线路以往晚 9 秒才振铃",
        (Wait(9), RINGING, rings(1), *talk("mobile_01", ends=True)),
        replace(
            forwarded(answered(1), "late_ringing", "weak", shown=False),
            early_media=("none",),
        ),
        history_ms=(380.0, 420.0, 400.0, 410.0, 395.0),
    ),
    Behaviour(
        "998",
        "foreign-ringback",
        "回铃音为国外制式（440+480 Hz，响 2 秒、断 4 秒），第 2 声接听",
        (
            Wait(SET_UP_S),
            RINGING_HEARD,
            Play("ringback_us", loop=True),
            Wait(9),
            *talk("officer_12", ends=True),
        ),
        replace(answered(2), rings=None, early_media=("ringback",)),
    ),
    Behaviour(
        "943",
        "call-assistant",
        "通信助理应答",
        (*picked_up(2), Wait(0.5), Say("assistant"), Wait(3), Say("assistant"), *END),
        # By sound alone so short a prompt may pass for a person.
        hinted(replace(answered(2), answered_by=("machine", "human")), "mobile_announcement"),
    ),
)

FORWARDED = (*SIGNALLED, *HEARD)
