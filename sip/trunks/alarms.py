"""Alarms of our own side: what can be wrong with a trunk or with us, in words for the duty office.

An alarm is never an outcome of a unit. Each entry of `MEANINGS` says what is the matter, what to do, what
raises it and what clears it; docs/reference/alarms.md is made from it (`alarms_page`), and a test compares.
The rules themselves stand in `sip.trunks.signs`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AlarmKind(StrEnum):
    """What is wrong on our side. The values are part of records and of the database."""

    TRUNK_UNREACHABLE = "trunk_unreachable"
    NAME_VANISHED = "name_vanished"
    DNS_FAILED = "dns_failed"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    TLS_FAILED = "tls_failed"
    BAD_CREDENTIALS = "bad_credentials"
    REGISTRATION_FAILED = "registration_failed"
    REGISTRATION_EXPIRED = "registration_expired"
    FORBIDDEN = "forbidden"
    ACCOUNT_OVERDUE = "account_overdue"
    OWN_LINE_BARRED = "own_line_barred"
    DIALLING_RULES = "dialling_rules"
    TRUNK_OVERLOADED = "trunk_overloaded"
    TRUNK_FAILING = "trunk_failing"
    MEDIA_REFUSED = "media_refused"
    ONE_WAY_AUDIO = "one_way_audio"
    TRUNK_MUSIC = "trunk_music"
    CAPS_REACHED = "caps_reached"
    PORTS_EXHAUSTED = "ports_exhausted"
    MEDIA_ENGINE_FULL = "media_engine_full"
    MEDIA_ENGINE_LOST = "media_engine_lost"
    CLOCK_UNSYNCHRONISED = "clock_unsynchronised"
    FLOODED = "flooded"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an alarm means, and its rules in words."""

    en: str
    """One sentence: what is the matter."""
    zh: str
    """The same as a duty office says it."""
    do_en: str
    """What to do."""
    do_zh: str
    raised: str
    """What raises it."""
    cleared: str
    """What clears it."""
    needed: int = 1
    """How many different numbers in a row must show it before it is raised."""


_ANSWERED_AT_ALL = "any SIP response by way of the trunk"

MEANINGS: dict[AlarmKind, Meaning] = {
    AlarmKind.TRUNK_UNREACHABLE: Meaning(
        "The trunk's server does not answer.",
        "中继对端无应答，电话打不出去。",
        "Check the network to the server, its address and port, and the firewall in between.",
        "检查到对端的网线、路由、防火墙和地址端口，必要时联系运营商。",
        "OPTIONS, REGISTER or a call without any response; refused, unreachable or closed by the network",
        _ANSWERED_AT_ALL,
    ),
    AlarmKind.NAME_VANISHED: Meaning(
        "The host name of the trunk's server does not exist.",
        "中继对端的域名查不到。",
        "Compare the name in the settings with what the operator gave; ask the operator whether it was changed.",
        "核对设置中的域名，向运营商核实域名是否变更。",
        "the name servers say that there is no such name, or no address for it",
        _ANSWERED_AT_ALL,
    ),
    AlarmKind.DNS_FAILED: Meaning(
        "Our name servers do not answer, so the trunk's server cannot be found.",
        "本单位域名服务器（DNS）无应答，找不到中继对端。",
        "Check this machine's DNS settings, or set the server's address instead of its name.",
        "检查本机 DNS 设置，或在设置中改填对端的 IP 地址。",
        "name servers time out or answer with an error",
        _ANSWERED_AT_ALL,
    ),
    AlarmKind.CERTIFICATE_EXPIRED: Meaning(
        "A TLS certificate is out of its time, theirs or ours; the text says whose.",
        "TLS 证书已过期或尚未生效，详情中写明是哪一方的证书。",
        "Have the certificate renewed; check this machine's date and time.",
        "更换证书，并核对本机日期时间。",
        "a TLS handshake that fails for a certificate's dates",
        _ANSWERED_AT_ALL,
    ),
    AlarmKind.CERTIFICATE_UNTRUSTED: Meaning(
        "A TLS certificate is not trusted, or bears another name.",
        "TLS 证书不受信任，或证书上的名称不符。",
        "Set the operator's authority as tls_ca_file, or the name in the certificate as tls_server_name.",
        "在设置中填写运营商的根证书（tls_ca_file），或填写证书上的名称（tls_server_name）。",
        "a TLS handshake that fails for who signed a certificate or for its name",
        _ANSWERED_AT_ALL,
    ),
    AlarmKind.TLS_FAILED: Meaning(
        "TLS with the trunk's server fails.",
        "与中继对端的 TLS 加密连接建立失败。",
        "Check that the port speaks TLS 1.2 or later, and whether a client certificate is demanded.",
        "核对对端端口是否支持 TLS 1.2 以上，是否要求客户端证书。",
        "a TLS handshake that fails for any other reason",
        _ANSWERED_AT_ALL,
    ),
    AlarmKind.BAD_CREDENTIALS: Meaning(
        "The trunk does not accept our user name or password.",
        "中继账号或密码不被接受。",
        "Check user name, password and realm with the operator before the account is locked.",
        "向运营商核对账号、密码，避免多次失败被锁定。",
        "401 or 407 that our credentials do not satisfy, to a call or a REGISTER",
        "a call, or a REGISTER, that gets past the challenge",
    ),
    AlarmKind.REGISTRATION_FAILED: Meaning(
        "The registrar refuses or does not confirm our registration.",
        "中继注册失败。",
        "Read the status in the text; check the account with the operator.",
        "查看详情中的状态码，向运营商核实账号状态。",
        "a REGISTER that ends without a binding",
        "a successful REGISTER",
    ),
    AlarmKind.REGISTRATION_EXPIRED: Meaning(
        "Our registration has run out: calls to us cannot arrive, calls from us may be refused.",
        "中继注册已过期，来电无法接入，去电可能被拒。",
        "Find out why it could not be renewed; see the other alarms of the trunk.",
        "查明续注册失败的原因，参看该中继的其他告警。",
        "the end of a binding that was not renewed",
        "a successful REGISTER",
    ),
    AlarmKind.FORBIDDEN: Meaning(
        "The trunk forbids every call.",
        "中继对所有呼叫一律拒绝（403）。",
        "Ask the operator whether outgoing calls, our caller number and our address are permitted.",
        "向运营商核实外呼权限、主叫号码和本机地址是否已授权。",
        "403 to three different numbers in a row; a single 403 may be the called line's own",
        "a call that rings, is answered, or is refused for another reason",
        needed=3,
    ),
    AlarmKind.ACCOUNT_OVERDUE: Meaning(
        "Our account with the operator is overdue or out of credit.",
        "我方话费已欠费或余额不足。",
        "Pay the bill.",
        "尽快缴费。",
        "402, or an announcement that says so of the calling line (`line_state` `arrears`)",
        "a call that reaches the called line",
    ),
    AlarmKind.OWN_LINE_BARRED: Meaning(
        "Our line is barred from such calls.",
        "我方线路被限制呼出。",
        "Ask the operator or the switchboard's keeper to permit outgoing calls.",
        "联系运营商或交换机管理员开通呼出权限。",
        "Q.850 cause 52 (outgoing calls barred), or an announcement about the calling line (`own_line`)",
        "a call that reaches the called line",
    ),
    AlarmKind.DIALLING_RULES: Meaning(
        "Numbers leave in a form that the trunk does not understand.",
        "号码格式（区号、字冠、出局码）不符合中继要求。",
        "Check area code, style, access code and replacements in the trunk's number rules.",
        "检查中继的区号、号码格式、出局码和替换规则设置。",
        "an announcement of a wrong prefix (`wrong_prefix`), or 404, 484 or 604 to five different numbers in a row",
        "a call that reaches the called line",
        needed=5,
    ),
    AlarmKind.TRUNK_OVERLOADED: Meaning(
        "The trunk is overloaded or out of service for now.",
        "中继拥塞或暂停服务（503）。",
        "Wait; if it lasts, ask the operator, and lower our concurrency and rate.",
        "稍后再试；持续出现请联系运营商，并调低并发数和呼叫速率。",
        "503 to OPTIONS, REGISTER or two different numbers in a row, or one 503 with Retry-After; a single one without "
        "may be the route to the called line",
        "another answer to what was refused so",
        needed=2,
    ),
    AlarmKind.TRUNK_FAILING: Meaning(
        "The trunk fails at every call.",
        "中继对所有呼叫均返回故障（5xx）。",
        "Give the operator the call's SIP trace.",
        "导出呼叫信令，交运营商排查。",
        "5xx other than 503 to three different numbers in a row",
        "a call that rings, is answered, or is refused for another reason",
        needed=3,
    ),
    AlarmKind.MEDIA_REFUSED: Meaning(
        "What we offer as sound is refused.",
        "对端不接受我方的语音参数（415/488）。",
        "Check codecs, ptime and srtp of the trunk with what the operator demands.",
        "核对中继的编码、打包时长和 SRTP 设置。",
        "415, 488 or 606 to a call, or an answer whose SDP holds nothing we offered; one is enough, for G.711 is "
        "what every network takes",
        "an answered call",
    ),
    AlarmKind.ONE_WAY_AUDIO: Meaning(
        "A call was answered and sound went one way only, or not at all.",
        "电话接通后声音单通或双向无声。",
        "Check NAT, the advertised address and the firewall for the RTP ports.",
        "检查地址转换（NAT）、公网地址设置和防火墙的 RTP 端口。",
        "an answered call of 3 s or more without one packet from them, or whose far side reports all of ours as lost "
        "(RTCP); one is enough, for exchanges send packets in silence too",
        "an answered call with packets both ways",
    ),
    AlarmKind.TRUNK_MUSIC: Meaning(
        "The trunk plays music of its own before calls are answered.",
        "呼叫接通前听到的音乐由我方中继播放，不是被叫单位设置的彩铃。",
        "Ask the operator or the switchboard's keeper to give plain ringback on our outgoing calls.",
        "联系运营商或交换机管理员，取消我方外呼时的等待音乐，改送普通回铃音。",
        "the same music before the answer on lines of three different units; the calls before the third keep what was "
        "said of them",
        "a call by the trunk on which plain ringback is heard before the answer",
    ),
    AlarmKind.CAPS_REACHED: Meaning(
        "A call was not placed, for it would have exceeded our own caps.",
        "已达到本机设定的呼叫上限，本次未呼出。",
        "Wait, or spread the calls; raise the trunk's caps only if the operator permits it.",
        "稍后再拨或分散安排；确需提高上限须经运营商同意。",
        "a call refused, or given up in the queue, for a cap of the trunk",
        "the next call that is placed",
    ),
    AlarmKind.PORTS_EXHAUSTED: Meaning(
        "No local port was left for a call.",
        "本机已无可用的语音端口。",
        "Widen rtp_ports, or look for calls that do not end.",
        "扩大 rtp_ports 端口范围，检查是否有未挂断的通话。",
        "no socket could be had for the sound of a call",
        "the next call that sends sound",
    ),
    AlarmKind.MEDIA_ENGINE_FULL: Meaning(
        "This machine carries as many calls as it can; further ones wait.",
        "本机同时通话数已达到处理能力上限，新的呼叫须等待。",
        "Nothing is lost: calls wait and leave as others end. If it happens often, spread the calls or use a "
        "machine with more processor; if the text says that ticks take too long or that messages wait, look for what "
        "else runs on it.",
        "呼叫不会丢失，前面的通话结束后依次呼出。经常出现时请分散安排呼叫或更换性能更高的机器；"
        "详情提示处理超时或消息等待的，请检查本机是否运行了其他程序。",
        "as many calls as the media engine has measured that it can carry, ticks that take too long, or messages that "
        "wait for half a second until they are read",
        "a twentieth of them has ended, and ticks and messages that are in time",
    ),
    AlarmKind.MEDIA_ENGINE_LOST: Meaning(
        "The process that sends and records sound died.",
        "语音收发录音进程异常退出。",
        "It is started anew; if it happens again, keep the log and check memory and disk.",
        "系统会自动重启该进程；反复出现请保留日志并检查内存和磁盘。",
        "the media engine or its writer ended in mid-call or could not be started",
        "the next call that sends sound",
    ),
    AlarmKind.CLOCK_UNSYNCHRONISED: Meaning(
        "This machine's clock is not synchronised, so times of day in records may be wrong.",
        "本机时钟未同步，记录中的时间可能不准。",
        "Set up NTP. Durations within a call are not affected.",
        "配置时间同步（NTP）。通话内的时长测量不受影响。",
        "the kernel says that the clock is not synchronised",
        "the kernel says that it is",
    ),
    AlarmKind.FLOODED: Meaning(
        "Our SIP ports are flooded with packets that belong to no call of ours.",
        "本机 SIP 端口收到大量与通话无关的报文，疑似遭受攻击。",
        "Let the firewall admit nobody but the trunks' addresses to our SIP and RTP ports; the text names the busiest "
        "source. Calls go on.",
        "请在防火墙上只放行中继对端的地址访问本机 SIP、RTP 端口，详情中写明报文最多的来源；通话不受影响。",
        "500 packets within 10 s that belong to no call: refused, unreadable, or responses to nothing",
        "a minute with fewer than 50 of them",
    ),
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that stands. Times are POSIX seconds."""

    kind: AlarmKind
    since: float
    last: float
    """When it was last shown."""
    count: int
    """How often it has been shown since."""
    detail: str = ""
    """What was last seen: a status line, an error."""

    @property
    def meaning(self) -> Meaning:
        """Its words."""
        return MEANINGS[self.kind]

    def to_dict(self) -> dict[str, object]:
        """Return the JSON object."""
        return {
            "kind": self.kind.value,
            "since": self.since,
            "last": self.last,
            "count": self.count,
            "detail": self.detail,
        }

    @classmethod
    def from_dict(cls, stored: dict[str, object]) -> Alarm:
        """Read what `to_dict` gave. Raises `ValueError` for a kind that is not known, `KeyError` for a gap."""
        since, last, count = stored["since"], stored["last"], stored["count"]
        if not (isinstance(since, int | float) and isinstance(last, int | float) and isinstance(count, int)):
            raise ValueError("an alarm holds numbers as since, last and count")
        return cls(
            AlarmKind(str(stored["kind"])), float(since), float(last), count, str(stored.get("detail", ""))
        )


def alarms_page() -> str:
    """Return docs/reference/alarms.md."""
    lines = [_PAGE_HEAD]
    for kind, meaning in MEANINGS.items():
        lines += [
            f"## `{kind}`",
            "",
            f"{meaning.en} {meaning.zh}",
            "",
            f"- **What to do:** {meaning.do_en} {meaning.do_zh}",
            f"- **Raised by:** {meaning.raised}.",
            f"- **Different numbers in a row needed:** {meaning.needed}.",
            f"- **Cleared by:** {meaning.cleared}.",
            "",
        ]
    return "\n".join(lines)


_PAGE_HEAD = """# Alarms of our side

What goes wrong between the telephone network and us is an alarm for the operator of this system, never a finding
against a unit. This page is made from `sip/trunks/alarms.py`; a test compares the two.

An alarm belongs to one trunk (the media engine, the clock and floods: to the phone itself, under the name `phone`),
stands from the first sign to the contrary sign, and keeps when it was raised, when and how often it was shown, and
what was seen last. Only facts of ours count: what the trunk answered, what our sockets, name servers and certificates
said, and how many packets went which way.

Some answers may come from the called line as well as from the trunk. They raise an alarm only when **different numbers
in a row** bring the same: redialling one line cannot raise it, and one call that gets through begins the count anew. A
call that says nothing about the trunk (we cancelled it, it never left) is not counted either way. What only one source
shows is cleared by that source: a successful REGISTER says nothing about the password that calls are refused for.
"""
