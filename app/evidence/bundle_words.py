"""Words of the bundle's page, Chinese with English beside."""

from __future__ import annotations

from typing import Final

Two = tuple[str, str]

OUTCOME: Final[dict[str, Two]] = {
    "answered": ("接通", "answered"),
    "busy": ("占线", "busy"),
    "rejected": ("拒接", "rejected"),
    "no_answer": ("无人接听", "no answer"),
    "unobtainable": ("空号", "unobtainable"),
    "unreachable": ("不通", "unreachable"),
    "redirected": ("改号转移", "redirected"),
    "cancelled": ("我方取消", "cancelled by us"),
    "network_failure": ("我方网络故障", "failure of our network"),
}
ANSWERED_BY: Final[dict[str, Two]] = {
    "human": ("人工", "a person"),
    "machine": ("自动语音", "a machine"),
    "fax": ("传真机", "a fax"),
    "silence": ("无声", "silence"),
    "unknown": ("未判明", "not known"),
}
THREE_RING: Final[dict[str, Two]] = {
    "within": ("三声内", "within three rings"),
    "borderline": ("临界", "before a fourth ring"),
    "exceeded": ("超过", "later than that"),
    "not_applicable": ("不适用", "not applicable"),
}
MOMENTS: Final[dict[str, Two]] = {
    "ring_started_ms": ("振铃开始", "ringing begins"),
    "connected_ms": ("电话接通（信令）", "connected (signalling)"),
    "answered_ms": ("接听", "answered"),
    "ended_ms": ("通话结束", "call ends"),
}
GRADES: Final[dict[str, str]] = {
    "definitive": "definitive",
    "near_proof": "near proof",
    "strong": "strong",
    "medium": "medium",
    "weak": "weak",
    "none": "none",
}
GONE: Final[dict[str, Two]] = {
    "expired": ("保存期限届满，录音已删除", "its retention was over, the sound was deleted"),
    "removed": ("录音经审批提前删除", "the sound was deleted before its time, by two people"),
    "withdrawn": (
        "已封存：录音、文字、索引和副本均已撤下",
        "withdrawn: sound, words, index and copies are gone",
    ),
}
WHY: Final[dict[str, Two]] = {
    "not_recorded": ("没有录音", "nothing was recorded"),
    "lost": ("录音文件不在录音库中", "the sound is not in the archive"),
    "unreadable": ("录音文件读不出来", "the sound cannot be read"),
    "changed": ("录音文件与登记的哈希不符", "the sound does not have the hash that was recorded"),
    "not_transcribed": ("未转写", "was not transcribed"),
    "waiting": ("转写尚未完成", "its transcription is not done yet"),
    "failed": ("转写未成功", "its transcription failed"),
    "withdrawn": ("已封存", "was withdrawn"),
    "not_kept": ("未保存", "was not kept"),
    "not_made": ("尚未提出", "was not made yet"),
    "holds_an_answer_key": ("含有应答密钥号码，不外传", "holds an answer key and stays here"),
    "not_in_manifest": ("录音清单中尚无此条", "the manifest of recordings does not name it yet"),
    "interrupted": ("拨测中断", "the call was interrupted"),
}
WHAT: Final[dict[str, Two]] = {
    "sound": ("录音", "sound"),
    "proposal": ("拟认定意见", "proposal"),
    "facts": ("要素", "facts"),
    "sip-trace": ("信令全文", "SIP trace"),
    "sip-trace.pcap": ("信令抓包", "SIP capture"),
    "transcript": ("转写", "transcript"),
    "manifest": ("清单条目", "manifest entry"),
}
ANSWER_KINDS: Final[dict[str, Two]] = {
    "unit": ("单位", "unit"),
    "name": ("姓名", "name"),
    "title": ("职务", "title"),
    "number": ("号码", "number"),
}
ANSWERS: Final[dict[str, Two]] = {
    "unverified": ("未核实", "not verified"),
    "yes": ("是", "yes"),
    "no": ("否", "no"),
}
SIDES: Final[dict[str, Two]] = {"us": ("我方", "us"), "them": ("对方", "them")}
ROSTERS: Final[dict[str, Two]] = {"duty": ("值班", "on duty"), "leaders": ("带班", "leading")}


def two(table: dict[str, Two], word: str | None) -> Two:
    """Both words of a code; the code itself where it has none, 未核实 where there is no code."""
    if word is None:
        return "未核实", "not known"
    return table.get(word, (word, word))
