"""The built-in simulated lines, by extension: what each does, as data, and what an honest caller must find.

Ring n means: answered 4 s after the beginning of the nth ring of the national cadence (1 s on, 4 s off, GB/T 3380),
so exactly n bursts have begun. Names, offices and numbers are invented.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from sip.record import ThreeRing
from sip.simulator.steps import (
    Answer,
    AwaitDigits,
    Behaviour,
    Challenge,
    Expectation,
    HangUp,
    Headers,
    Never,
    Play,
    Provisional,
    Quiet,
    Redirect,
    Reject,
    Say,
    Step,
    Wait,
)

RING_PERIOD_S = 5.0
PICK_UP_S = 4.0
"""After the beginning of the ring that is the last one."""
SET_UP_S = 0.2
"""From the INVITE to the first ring: a post-dial delay."""
PATIENCE_S = 25.0
"""How long somebody waits on a call that the other side does not end."""
WITHIN_MS, BORDERLINE_MS = 11_000.0, 15_000.0
"""The limits of `three_ring` in the contract."""
EXTENSION_DIGITS = "6001#"
"""What the switchboards want to hear."""
DIGEST_USER, DIGEST_PASSWORD = "dutyring", "three-rings"
"""What line 98 asks for, unless the simulator is started with another password."""
FIRST_LOAD_LINE = 10_000

RINGING = Provisional(180)
RINGING_HEARD = Provisional(180, sdp=True)
MEDIA_ONLY = Provisional(183, sdp=True)
RINGBACK = Play("ringback", loop=True)
END = (Wait(PATIENCE_S), HangUp())


def ring_ms(ring: int) -> float:
    """Return the nominal milliseconds from ring start to an answer at this ring."""
    return 1000 * ((ring - 1) * RING_PERIOD_S + PICK_UP_S)


def three_ring(ring_to_answer_ms: float) -> ThreeRing:
    """Return the label that the contract gives to this time."""
    if ring_to_answer_ms <= WITHIN_MS:
        return "within"
    return "borderline" if ring_to_answer_ms <= BORDERLINE_MS else "exceeded"


def _rings(ring: int) -> Wait:
    return Wait(ring_ms(ring) / 1000)


def _talk(officer: str, reply: str = "", *, ends: bool = False, headers: Headers = ()) -> tuple[Step, ...]:
    """Pick up, speak after a breath, listen, perhaps speak again, then hang up or wait for the caller to."""
    second = (Wait(2.5), Say(reply)) if reply else ()
    rest = (Wait(1.2), HangUp()) if ends else END
    return (Answer(headers), Wait(0.4), Say(officer), *second, *rest)


def _answered(ring: int) -> Expectation:
    nominal_ms = ring_ms(ring)
    return Expectation(
        "answered",
        answered_by=("human",),
        three_ring=three_ring(nominal_ms),
        rings=ring,
        ring_to_answer_ms=nominal_ms,
        answer_source="signalling",
        sip_status=200,
        forwarded=False,
    )


def _forwarded(expectation: Expectation) -> Expectation:
    return replace(expectation, forwarded=True, forwarding_grade="definitive")


def _failed(expectation: Expectation) -> Expectation:
    return replace(expectation, three_ring="not_applicable")


def _signalled(ring: int, officer: str, reply: str = "", *, ends: bool = False) -> Behaviour:
    steps = (Wait(SET_UP_S), RINGING, _rings(ring), *_talk(officer, reply, ends=ends))
    expect = replace(_answered(ring), early_media=("none",), ended_by="them" if ends else None)
    return Behaviour(
        f"1{ring}", f"answers-ring-{ring}", f"第{ring}声接听，只有信令，没有回铃音", steps, expect
    )


def _audible(
    ring: int, opening: tuple[Step, ...], officer: str, reply: str = "", *, ends: bool = False
) -> Behaviour:
    steps = (Wait(SET_UP_S), *opening, RINGBACK, _rings(ring), *_talk(officer, reply, ends=ends))
    expect = replace(_answered(ring), early_media=("ringback",), ended_by="them" if ends else None)
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
        (Wait(0.3), MEDIA_ONLY, Wait(3), RINGING, RINGBACK, _rings(2), *_talk("officer_11", ends=True)),
        replace(_answered(2), ended_by="them"),
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
            *_talk("officer_12", "reply_04"),
        ),
        replace(
            _answered(2),
            rings=None,
            ring_to_answer_ms=9500.0,
            early_media=("crbt",),
        ),
    ),
    Behaviour(
        "91",
        "gateway",
        "模拟网关立即应答，带内回铃两声后有人接听",
        (Wait(SET_UP_S), Answer(), RINGBACK, Wait(8), Quiet(), Wait(0.3), Say("officer_02"), *END),
        replace(_answered(2), ring_to_answer_ms=8330.0, tolerance_ms=250.0, answer_source="in_band"),
    ),
    Behaviour(
        "98",
        "digest",
        f"要求摘要认证（用户 {DIGEST_USER}），第 1 声接听",
        (Challenge(), Wait(SET_UP_S), RINGING, _rings(1), *_talk("officer_04", "reply_04", ends=True)),
        replace(_answered(1), ended_by="them"),
    ),
)

UNANSWERED = (
    Behaviour(
        "70",
        "never-ringback",
        "一直无人接听，有回铃音",
        (Wait(SET_UP_S), RINGING_HEARD, RINGBACK, Never()),
        _failed(Expectation("no_answer", early_media=("ringback",), forwarded=False)),
    ),
    Behaviour(
        "71",
        "never",
        "一直无人接听，只有信令",
        (Wait(SET_UP_S), RINGING, Never()),
        _failed(Expectation("no_answer", early_media=("none",), forwarded=False)),
    ),
    Behaviour(
        "72",
        "rings-out",
        "响 6 声后交换机改送忙音，没有最终响应",
        (Wait(SET_UP_S), RINGING_HEARD, RINGBACK, Wait(6 * RING_PERIOD_S), Play("busy", loop=True), Never()),
        _failed(Expectation("no_answer", forwarded=False)),
    ),
    Behaviour(
        "73",
        "trying-only",
        "只回 100，再无下文",
        (Never(),),
        _failed(Expectation("network_failure", early_media=("none",))),
    ),
    Behaviour(
        "86",
        "busy",
        "占线（486）",
        (Wait(0.05), Reject(486)),
        _failed(Expectation("busy", sip_status=486, early_media=("none",))),
    ),
    Behaviour(
        "87",
        "busy-tone",
        "早期媒体送忙音，没有最终响应",
        (Wait(SET_UP_S), MEDIA_ONLY, Play("busy", loop=True), Never()),
        _failed(Expectation("busy", early_media=("busy",))),
    ),
    Behaviour(
        "88",
        "reject-key",
        "振铃后按拒接键（486）",
        (Wait(SET_UP_S), RINGING, Wait(6), Reject(486)),
        _failed(Expectation("rejected", sip_status=486)),
    ),
    Behaviour(
        "92",
        "gateway-never",
        "模拟网关立即应答，带内回铃，无人接听",
        (Wait(SET_UP_S), Answer(), RINGBACK, Never()),
        _failed(Expectation("no_answer", sip_status=200, forwarded=False)),
    ),
    Behaviour(
        "603",
        "declines",
        "振铃后拒绝（603）",
        (Wait(SET_UP_S), RINGING, Wait(3), Reject(603)),
        _failed(Expectation("rejected", sip_status=603)),
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
        _failed(
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
        _failed(Expectation("unobtainable", sip_status=404, early_media=("none",))),
    ),
    Behaviour(
        "480",
        "unreachable",
        "未振铃即不可达（480）",
        (Wait(0.5), Reject(480)),
        _failed(Expectation("unreachable", sip_status=480)),
    ),
    Behaviour(
        "4801",
        "gives-up-480",
        "振铃 20 秒后网络回 480",
        (Wait(SET_UP_S), RINGING, Wait(20), Reject(480)),
        _failed(Expectation("no_answer", sip_status=480)),
    ),
    Behaviour(
        "503",
        "network-down",
        "网络故障（503）",
        (Wait(0.1), Reject(503)),
        _failed(Expectation("network_failure", sip_status=503)),
    ),
    Behaviour(
        "870",
        "congestion-tone",
        "早期媒体送拥塞音，没有最终响应",
        (Wait(SET_UP_S), MEDIA_ONLY, Play("congestion", loop=True), Never()),
        _failed(Expectation("network_failure", early_media=("congestion",))),
    ),
    Behaviour(
        "99",
        "powered-off",
        "提示已关机，再回 480",
        (Wait(1), MEDIA_ONLY, Wait(0.3), Say("powered_off"), Wait(0.8), Say("powered_off"), Reject(480)),
        _failed(
            Expectation("unreachable", early_media=("announcement",), line_state=("powered_off", None)),
        ),
    ),
    Behaviour(
        "991",
        "not-reachable",
        "提示暂时无法接通，再回 480",
        (Wait(1), MEDIA_ONLY, Wait(0.3), Say("not_reachable"), Wait(0.8), Say("not_reachable"), Reject(480)),
        _failed(
            Expectation("unreachable", early_media=("announcement",), line_state=("not_reachable", None)),
        ),
    ),
    Behaviour(
        "992",
        "in-call",
        "提示正在通话中，再回 486",
        (Wait(1), MEDIA_ONLY, Wait(0.3), Say("in_call"), Wait(0.8), Say("in_call"), Reject(486)),
        _failed(
            Expectation("busy", early_media=("announcement",), line_state=("in_call", "busy", None)),
        ),
    ),
)

_HISTORY = (
    (
        "History-Info",
        "<sip:{user}@{host}>;index=1, <sip:13900001811@{host};user=phone;cause=302>;index=1.1;mp=1",
    ),
)
_DIVERSION = (("Diversion", "<sip:{user}@{host}>;reason=no-answer;counter=1"),)

FORWARDED = (
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
            _rings(2),
            *_talk("mobile_01"),
        ),
        _forwarded(_answered(2)),
    ),
    Behaviour(
        "302",
        "redirected-302",
        "重定向到手机（302）",
        (Wait(0.1), Redirect("sip:13900000302@{host}")),
        _forwarded(_failed(Expectation("redirected", sip_status=302))),
    ),
    Behaviour(
        "1811",
        "history-info",
        "无条件呼叫前转，History-Info 可见",
        (
            Wait(SET_UP_S),
            Provisional(180, headers=_HISTORY),
            _rings(2),
            *_talk("mobile_01", headers=_HISTORY),
        ),
        _forwarded(_answered(2)),
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
            *_talk("mobile_01", ends=True),
        ),
        _forwarded(_answered(3)),
    ),
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
            _rings(2),
            *_talk("mobile_01", ends=True),
        ),
        Expectation("answered", answered_by=("human",), answer_source="signalling", sip_status=200),
    ),
)


def _picked_up(ring: int) -> tuple[Step, ...]:
    return (Wait(SET_UP_S), RINGING, _rings(ring), Answer())


OTHERS = (
    Behaviour(
        "93",
        "fax",
        "传真机应答",
        (*_picked_up(1), Say("fax_answer"), HangUp()),
        replace(_answered(1), answered_by=("fax",)),
    ),
    Behaviour(
        "94",
        "mailbox",
        "语音信箱应答",
        (*_picked_up(2), Wait(0.5), Say("mailbox"), Wait(0.4), Say("beep"), *END),
        replace(_answered(2), answered_by=("machine",)),
    ),
    Behaviour(
        "941",
        "switchboard",
        "总机自动应答",
        (*_picked_up(1), Wait(0.3), Say("switchboard_menu"), Wait(3), Say("switchboard_menu"), *END),
        replace(_answered(1), answered_by=("machine",)),
    ),
    Behaviour(
        "95",
        "silent",
        "接听后一言不发",
        (*_picked_up(2), *END),
        replace(_answered(2), answered_by=("silence",)),
    ),
    Behaviour(
        "96",
        "hangs-up",
        "接听后话说一半就挂断",
        (*_picked_up(2), Wait(0.4), Play("officer_03"), Wait(1.7), HangUp()),
        replace(_answered(2), answered_by=("human", "unknown"), ended_by="them"),
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


def _behind_a_switchboard(
    extension: str, name: str, title_zh: str, steps: tuple[Step, ...], expect: Expectation, digits: str = ""
) -> Behaviour:
    """A switchboard that rings once, answers by itself and connects to its extension after the digits."""
    menu = (Wait(SET_UP_S), RINGING, Wait(1), Answer(), Wait(0.3), AwaitDigits(EXTENSION_DIGITS), Wait(1.2))
    expect = replace(expect, sip_status=200)
    return Behaviour(
        extension, name, title_zh, (*menu, *steps), expect, digits=digits or f"wwww{EXTENSION_DIGITS}"
    )


SWITCHBOARDS = (
    _behind_a_switchboard(
        "9421",
        "extension-answers",
        "总机转分机 6001：带内回铃两声后有人接听",
        (RINGBACK, Wait(8), Quiet(), Wait(0.3), Say("officer_05"), *END),
        replace(_answered(2), ring_to_answer_ms=8330.0, tolerance_ms=250.0, answer_source="in_band"),
    ),
    _behind_a_switchboard(
        "9422",
        "extension-never",
        "总机转分机 6001：有回铃音，无人接听",
        (RINGBACK, Never()),
        _failed(Expectation("no_answer", forwarded=False)),
    ),
    _behind_a_switchboard(
        "9423",
        "extension-busy",
        "总机转分机 6001：送忙音",
        (Play("busy", loop=True), Never()),
        _failed(Expectation("busy", line_state=("busy",))),
    ),
    _behind_a_switchboard(
        "9424",
        "extension-unheard",
        "总机转分机 6001：没有回铃音，有人直接说话",
        (Say("officer_06"), *END),
        Expectation(
            "answered",
            answered_by=("human",),
            three_ring="not_applicable",
            answer_source="in_band",
            forwarded=False,
        ),
    ),
    _behind_a_switchboard(
        "9425",
        "extension-announced",
        "总机转分机 6001：先报正在转接，再带内回铃一声后接听",
        (Say("transfer_notice"), Wait(0.6), RINGBACK, Wait(3.5), Quiet(), Wait(0.3), Say("officer_07"), *END),
        replace(
            _answered(1),
            ring_to_answer_ms=3830.0,
            tolerance_ms=250.0,
            answer_source="in_band",
            forwarded=None,
        ),
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
            _rings(1),
            Answer(),
            Play("officer_01", loop=True),
            Never(),
        ),
        replace(_answered(1), early_media=("ringback",)),
    )
