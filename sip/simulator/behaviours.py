"""The built-in simulated lines, by extension: what each does, as data, and what an honest caller must find.

Names, offices and numbers are invented. `script_parts` holds what the scripts are made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from sip.simulator.behaviours_forwarding import FORWARDED
from sip.simulator.behaviours_switchboard import SWITCHBOARDS
from sip.simulator.script_parts import (
    END,
    MEDIA_ONLY,
    RING_PERIOD_S,
    RINGBACK,
    RINGING,
    RINGING_HEARD,
    SET_UP_S,
    announced,
    answered,
    failed,
    hinted,
    picked_up,
    rings,
    talk,
)
from sip.simulator.script_parts import ring_ms as ring_ms
from sip.simulator.script_parts import three_ring as three_ring
from sip.simulator.steps import (
    Answer,
    Behaviour,
    Challenge,
    Expectation,
    HangUp,
    Never,
    Play,
    Quiet,
    Reject,
    Say,
    Step,
    Wait,
)

DIGEST_USER, DIGEST_PASSWORD = "dutyring", "three-rings"
"""What line 98 asks for, unless the simulator is started with another password."""
FIRST_LOAD_LINE = 20_000
"""None of the ten thousand from here on is a number that is never dialled, as 10158 and 10193 are."""


def _signalled(ring: int, officer: str, reply: str = "", *, ends: bool = False) -> Behaviour:
    steps = (Wait(SET_UP_S), RINGING, rings(ring), *talk(officer, reply, ends=ends))
    expect = replace(answered(ring), early_media=("none",), ended_by="them" if ends else None)
    return Behaviour(
        f"1{ring}", f"answers-ring-{ring}", f"第{ring}声接听，只有信令，没有回铃音", steps, expect
    )


def _audible(
    ring: int, opening: tuple[Step, ...], officer: str, reply: str = "", *, ends: bool = False
) -> Behaviour:
    steps = (Wait(SET_UP_S), *opening, RINGBACK, rings(ring), *talk(officer, reply, ends=ends))
    expect = replace(answered(ring), early_media=("ringback",), ended_by="them" if ends else None)
    return Behaviour(f"6{ring}", f"ringback-ring-{ring}", f"第{ring}声接听，线路送真实回铃音", steps, expect)


ANSWERING = (
    _signalled(1, "officer_01", "reply_01", ends=True),
    _signalled(2, "officer_02", "reply_02"),
    _signalled(3, "officer_03", "reply_03", ends=True),
    _signalled(4, "officer_04"),
    _signalled(5, "officer_05", "reply_05", ends=True),
    _audible(1, (RINGING_HEARD,), "officer_06"),
    _audible(2, (MEDIA_ONLY, RINGING), "officer_07", "reply_01", ends=True),
    _audible(3, (MEDIA_ONLY,), "officer_08", "reply_02"),
    _audible(4, (RINGING_HEARD,), "officer_09", "reply_03", ends=True),
    _audible(5, (MEDIA_ONLY, RINGING), "officer_10"),
    Behaviour(
        "31",
        "early-silence",
        "先送 3 秒无声的早期媒体，再振铃，第 2 声接听",
        (Wait(0.3), MEDIA_ONLY, Wait(3), RINGING, RINGBACK, rings(2), *talk("officer_11", ends=True)),
        replace(answered(2), ended_by="them"),
    ),
    Behaviour(
        "90",
        "color-ring",
        "设置彩铃，9.5 秒后接听",
        (
            Wait(SET_UP_S),
            RINGING_HEARD,
            Play("melody", loop=True),
            Wait(9.5),
            *talk("officer_12", "reply_04"),
        ),
        replace(
            answered(2),
            rings=None,
            ring_to_answer_ms=9500.0,
            early_media=("crbt",),
            forwarding_grade=("weak",),
            evidence=("crbt",),
        ),
    ),
    Behaviour(
        "91",
        "gateway",
        "模拟网关立即应答，带内回铃两声后有人接听",
        (Wait(SET_UP_S), Answer(), RINGBACK, Wait(8), Quiet(), Wait(0.3), Say("officer_02"), *END),
        replace(answered(2), ring_to_answer_ms=8330.0, tolerance_ms=250.0, answer_source="in_band"),
    ),
    Behaviour(
        "98",
        "digest",
        f"要求摘要认证（用户 {DIGEST_USER}），第 1 声接听",
        (Challenge(), Wait(SET_UP_S), RINGING, rings(1), *talk("officer_04", "reply_04", ends=True)),
        replace(answered(1), ended_by="them"),
    ),
)

UNANSWERED = (
    Behaviour(
        "70",
        "never-ringback",
        "一直无人接听，有回铃音",
        (Wait(SET_UP_S), RINGING_HEARD, RINGBACK, Never()),
        failed(Expectation("no_answer", early_media=("ringback",), forwarded=False)),
    ),
    Behaviour(
        "71",
        "never",
        "一直无人接听，只有信令",
        (Wait(SET_UP_S), RINGING, Never()),
        failed(Expectation("no_answer", early_media=("none",), forwarded=False)),
    ),
    Behaviour(
        "72",
        "rings-out",
        "响 6 声后交换机改送忙音，没有最终响应",
        (Wait(SET_UP_S), RINGING_HEARD, RINGBACK, Wait(6 * RING_PERIOD_S), Play("busy", loop=True), Never()),
        failed(Expectation("no_answer", forwarded=False)),
    ),
    Behaviour(
        "73",
        "trying-only",
        "只回 100，再无下文",
        (Never(),),
        failed(Expectation("network_failure", early_media=("none",))),
    ),
    Behaviour(
        "86",
        "busy",
        "占线（486）",
        (Wait(0.05), Reject(486)),
        failed(Expectation("busy", sip_status=486, early_media=("none",))),
    ),
    Behaviour(
        "87",
        "busy-tone",
        "早期媒体送忙音，没有最终响应",
        (Wait(SET_UP_S), MEDIA_ONLY, Play("busy", loop=True), Never()),
        failed(Expectation("busy", early_media=("busy",))),
    ),
    Behaviour(
        "88",
        "reject-key",
        "振铃后按拒接键（486）",
        (Wait(SET_UP_S), RINGING, Wait(6), Reject(486)),
        failed(Expectation("rejected", sip_status=486)),
    ),
    Behaviour(
        "92",
        "gateway-never",
        "模拟网关立即应答，带内回铃，无人接听",
        (Wait(SET_UP_S), Answer(), RINGBACK, Never()),
        failed(Expectation("no_answer", sip_status=200, forwarded=False)),
    ),
    Behaviour(
        "603",
        "declines",
        "振铃后拒绝（603）",
        (Wait(SET_UP_S), RINGING, Wait(3), Reject(603)),
        failed(Expectation("rejected", sip_status=603)),
    ),
)

UNREACHABLE = (
    Behaviour(
        "404",
        "empty-number-tone",
        "先送空号音和空号提示，再回 404",
        (
            Wait(SET_UP_S),
            MEDIA_ONLY,
            Play("unobtainable", loop=True),
            Wait(5.6),
            Say("empty_number"),
            Wait(0.5),
            Reject(404),
        ),
        failed(
            Expectation(
                "unobtainable",
                early_media=("unobtainable", "announcement"),
                line_state=("unobtainable", None),
            )
        ),
    ),
    Behaviour(
        "4040",
        "empty-number",
        "空号（立即 404）",
        (Wait(0.05), Reject(404)),
        failed(Expectation("unobtainable", sip_status=404, early_media=("none",))),
    ),
    Behaviour(
        "480",
        "unreachable",
        "未振铃即不可达（480）",
        (Wait(0.5), Reject(480)),
        failed(Expectation("unreachable", sip_status=480)),
    ),
    Behaviour(
        "4801",
        "gives-up-480",
        "振铃 20 秒后网络回 480",
        (Wait(SET_UP_S), RINGING, Wait(20), Reject(480)),
        failed(Expectation("no_answer", sip_status=480)),
    ),
    Behaviour(
        "503",
        "network-down",
        "网络故障（503）",
        (Wait(0.1), Reject(503)),
        failed(Expectation("network_failure", sip_status=503)),
    ),
    Behaviour(
        "870",
        "congestion-tone",
        "早期媒体送拥塞音，没有最终响应",
        (Wait(SET_UP_S), MEDIA_ONLY, Play("congestion", loop=True), Never()),
        failed(Expectation("network_failure", early_media=("congestion",))),
    ),
    Behaviour(
        "99",
        "powered-off",
        "提示已关机，再回 480",
        announced("powered_off", Reject(480)),
        hinted(
            failed(
                Expectation("unreachable", early_media=("announcement",), line_state=("powered_off", None))
            ),
            "mobile_announcement",
        ),
    ),
    Behaviour(
        "991",
        "not-reachable",
        "提示暂时无法接通，再回 480",
        announced("not_reachable", Reject(480)),
        hinted(
            failed(
                Expectation("unreachable", early_media=("announcement",), line_state=("not_reachable", None))
            ),
            "mobile_announcement",
            grades=("none", "medium"),
        ),
    ),
    Behaviour(
        "992",
        "in-call",
        "提示正在通话中，再回 486",
        announced("in_call", Reject(486)),
        failed(
            Expectation("busy", early_media=("announcement",), line_state=("in_call", "busy", None)),
        ),
    ),
)

OTHERS = (
    Behaviour(
        "93",
        "fax",
        "传真机应答",
        (*picked_up(1), Say("fax_answer"), HangUp()),
        replace(answered(1), answered_by=("fax",)),
    ),
    Behaviour(
        "94",
        "mailbox",
        "语音信箱应答",
        (*picked_up(2), Wait(0.5), Say("mailbox"), Wait(0.4), Say("beep"), *END),
        hinted(
            replace(answered(2), answered_by=("machine",)), "mobile_announcement", grades=("none", "medium")
        ),
    ),
    Behaviour(
        "941",
        "switchboard",
        "总机自动应答",
        (*picked_up(1), Wait(0.3), Say("switchboard_menu"), Wait(3), Say("switchboard_menu"), *END),
        replace(answered(1), answered_by=("machine",)),
    ),
    Behaviour(
        "95",
        "silent",
        "接听后一言不发",
        (*picked_up(2), *END),
        replace(answered(2), answered_by=("silence",)),
    ),
    Behaviour(
        "96",
        "hangs-up",
        "接听后话说一半就挂断",
        (*picked_up(2), Wait(0.4), Play("officer_03"), Wait(1.7), HangUp()),
        replace(answered(2), answered_by=("human", "unknown"), ended_by="them"),
    ),
    Behaviour(
        "97",
        "answers-cancel",
        "取消途中摘机：CANCEL 与 200 交叉",
        (Wait(SET_UP_S), RINGING, Never()),
        Expectation("answered", answered_by=("unknown",), ended_by="us", sip_status=200),
        ignore_cancel=True,
    ),
)


def by_extension(behaviours: Iterable[Behaviour]) -> Mapping[str, Behaviour]:
    """Return the behaviours by their extension, the short ones first."""
    order = sorted(behaviours, key=lambda line: (len(line.extension), line.extension))
    return MappingProxyType({line.extension: line for line in order})


BEHAVIOURS: Mapping[str, Behaviour] = by_extension(
    (*ANSWERING, *UNANSWERED, *UNREACHABLE, *FORWARDED, *OTHERS, *SWITCHBOARDS)
)


def load_line(extension: str) -> Behaviour:
    """Return a line for benchmarks: true ringback, answered in the first ring, talks until the caller ends the call."""
    return Behaviour(
        extension,
        "load",
        "压测线路：第 1 声接听，一直讲话",
        (
            Wait(SET_UP_S),
            RINGING_HEARD,
            RINGBACK,
            rings(1),
            Answer(),
            Play("officer_01", loop=True),
            Never(),
        ),
        replace(answered(1), early_media=("ringback",)),
    )
