"""What the trail is about in the words of the page: kinds of subjects, and codes that stand in a line's detail."""

from __future__ import annotations

from collections.abc import Mapping

from app.accounts.permissions import ROLE_ZH
from app.checks.proposal_codes import CODES
from app.planning.manual import SOURCES_ZH
from app.reviews.states import STATE_ZH, State
from app.rules.codes import FINDINGS
from app.web.i18n import gettext

SUBJECT_ZH: Mapping[str, str] = {
    "account": "账号",
    "answer": "应答内容",
    "attachment": "附件",
    "attempt": "拨测",
    "calendar": "日历",
    "case": "事项",
    "check": "抽查",
    "export": "导出任务",
    "file": "文件",
    "hold": "保全",
    "import": "导入",
    "line": "线路",
    "login": "登录名",
    "manual": "补录",
    "notice_delivery": "通知发送",
    "number": "号码",
    "order": "抽查",
    "person": "名录人员",
    "phone_record": "电话记录单",
    "plan": "计划",
    "plan-run": "计划启动",
    "prompt": "提示语",
    "publication": "通报稿",
    "recording": "录音",
    "removal": "删除申请",
    "rule_set": "规则集",
    "rules": "规则",
    "sample": "提示音样本",
    "stop": "停拨",
    "table": "表格",
    "token": "令牌",
    "trace": "信令",
    "transcript": "转写",
    "trunk": "中继",
    "unit": "单位",
    "way": "网址",
    "whereabouts": "去向",
}
"""Kinds of subjects; a line about one of them reads `kind:key`."""
_STATES = frozenset(map(str, State))
_CODE_ZH: Mapping[str, str] = {
    **{str(role): name for role, name in ROLE_ZH.items()},
    **SOURCES_ZH,
    **{code: info.zh for code, info in FINDINGS.items()},
    **{code: info.zh for code, info in CODES.items()},
}


def subject(text: str) -> str:
    """Name what a line is about; a kind that is not here stays as it is written."""
    kind, colon, key = text.partition(":")
    return f"{gettext(SUBJECT_ZH[kind])} {key}" if colon and kind in SUBJECT_ZH else text


def subject_code(typed: str) -> str:
    """Read what was typed for a subject or a kind of them, by its name on the page or as the trail has it."""
    text = typed.strip()
    names = [(said, kind) for kind, name in SUBJECT_ZH.items() for said in (gettext(name), name)]
    for said, kind in sorted(names, key=lambda known: -len(known[0])):
        key = text[len(said) :]
        if text.casefold().startswith(said.casefold()) and (not key or key[0].isspace() or key.isdecimal()):
            return f"{kind}:{key.strip()}" if key else kind
    return text


def detail(text: str) -> str:
    """Name the codes, states and subject that a detail is made of; any other detail stays as it was written."""
    before, arrow, after = text.partition(" -> ")
    if arrow and before in _STATES and after in _STATES:
        return f"{gettext(STATE_ZH[State(before)])} → {gettext(STATE_ZH[State(after)])}"
    parts = text.split()
    if parts and all(part in _CODE_ZH for part in parts):
        return gettext("、").join(gettext(_CODE_ZH[part]) for part in parts)
    first, _, rest = text.partition(" ")
    return f"{subject(first)}{gettext('：')}{rest}" if rest and subject(first) != first else text
