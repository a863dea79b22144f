"""The pages of which pictures are taken: address, reader, name, what is to be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.accounts.permissions import Role

D, S, A = Role.DISPATCHER, Role.SUPERVISOR, Role.ADMINISTRATOR


@dataclass(frozen=True, slots=True)
class Shot:
    """One page: its file, its address, who reads it, what it is called, what is to be seen."""

    name: str
    path: str
    role: Role
    title: str
    see: str


SHOTS: Sequence[Shot] = (
    Shot(
        "today",
        "/today",
        S,
        "今日待办",
        "what waits for a supervisor, the urgent first, then today's calls with the machine's proposals",
    ),
    Shot(
        "overview",
        "/overview",
        D,
        "总览",
        "today's verdicts, the three-ring rate of two months, seconds to the answer with the limits, coverage, trunks",
    ),
    Shot(
        "live",
        "/live",
        D,
        "实时",
        "lines that ring now with seconds and rings, what is heard before the answer, listening in",
    ),
    Shot("plans", "/plans", D, "抽查计划", "plans with their state and progress, and the year's coverage"),
    Shot(
        "plan",
        "/plans/1",
        D,
        "一个计划",
        "what a running plan does, its progress, the load that is left, the commitment of its draw",
    ),
    Shot("plan-new", "/plans/new", D, "新建计划", "the form: whom, when, how often, how"),
    Shot(
        "plan-preview",
        "/plans/2",
        D,
        "预览",
        "a draft's coverage and load as a calendar, without the moments",
    ),
    Shot(
        "designated",
        "/designated",
        D,
        "指定抽查",
        "a check that is ordered now with a reason, or a number that is verified",
    ),
    Shot("manual", "/manual", D, "人工补录", "checks that people made otherwise"),
    Shot("manual-new", "/manual/new", D, "新的补录", "the form for one of them"),
    Shot("prompts", "/prompts", D, "提示音", "what is said after the answer, and who approved it"),
    Shot("calendar", "/calendar", D, "日历", "the year with holidays, moved workdays and sensitive days"),
    Shot(
        "checks",
        "/checks",
        S,
        "抽查记录",
        "calls by any filter, with seconds, rings, proposal, and what waits for a person",
    ),
    Shot(
        "check",
        "/checks/1",
        S,
        "一次抽查",
        "a call in time: picture, evidence, sound, transcript, facts, signalling",
    ),
    Shot(
        "check-forwarded",
        "/checks/19",
        S,
        "一次抽查",
        "a forwarded line: what proves it, the clause, and the steps of a decision",
    ),
    Shot(
        "recordings", "/recordings", S, "录音", "recordings to search and play, how long each is kept and why"
    ),
    Shot(
        "keeping",
        "/recordings/1/keeping",
        S,
        "录音保管",
        "holding, erasing by two people, withdrawing one recording",
    ),
    Shot("samples", "/samples", S, "提示音样本", "announcements that the analysis knows again"),
    Shot("phone-records", "/phone-records", D, "电话记录单", "电话记录单 of calls that came in"),
    Shot("phone-record", "/phone-records/1", D, "一份记录单", "a signed sheet"),
    Shot("phone-record-new", "/phone-records/new", D, "新的记录单", "the form of a new one"),
    Shot("units", "/units", D, "单位与电话", "the tree of units with their lines and warnings"),
    Shot(
        "unit",
        "/units/1",
        D,
        "一个单位",
        "all of one unit: lines, people, duty, exemptions, confirmations, latest checks",
    ),
    Shot("lines", "/units/lines", D, "值班电话", "every line with what stands against calling it"),
    Shot("rosters", "/units/1/rosters", D, "值班表", "a unit's rosters by day"),
    Shot("rosters-all", "/units/rosters", D, "值班表报送", "who has filed, who is late"),
    Shot("exemptions", "/units/exemptions", D, "豁免", "what is exempted, until when, why"),
    Shot("number-changes", "/units/number-changes", D, "改号", "numbers that units reported as changed"),
    Shot("confirmations", "/units/confirmations", D, "号码核实", "who confirmed the directory this quarter"),
    Shot("import", "/units/import", D, "导入", "bringing a workbook, and the empty one"),
    Shot("import-preview", "", D, "导入预览", "what an upload would do, and each bad cell by name"),
    Shot(
        "reports",
        "/reports",
        Role.INSPECTOR,
        "报表",
        "rates with n and intervals, distribution, findings of a period",
    ),
    Shot("ranking", "/reports/ranking", Role.INSPECTOR, "得分", "scores of units"),
    Shot("forms", "/reports/forms", Role.INSPECTOR, "表格", "the inspection form of each unit as a document"),
    Shot(
        "publications",
        "/reports/publications",
        Role.INSPECTOR,
        "通报",
        "what was made known, and what was taken back",
    ),
    Shot(
        "exports",
        "/reports/exports",
        Role.INSPECTOR,
        "导出",
        "tables that were ordered, by whom, with which filter",
    ),
    Shot("stops", "/stops", S, "紧急停拨", "what is stopped now, stopping, and earlier stops"),
    Shot("system", "/system", A, "系统", "the administrator's pages"),
    Shot(
        "trunks",
        "/system/trunks",
        A,
        "中继",
        "our ways into the telephone network, their alarms, asking their servers, test calls",
    ),
    Shot("rules", "/system/rules", A, "规则", "rule sets that are there and the one in force"),
    Shot(
        "accounts",
        "/system/accounts",
        Role.SECURITY,
        "账号",
        "who may sign in, with which role, for which units",
    ),
    Shot(
        "audit",
        "/system/audit",
        Role.AUDITOR,
        "审计",
        "who did what, when; the chain and its check; the export",
    ),
    Shot("notices", "/system/notices", A, "通知", "what our own side has to see to, and what was sent"),
    Shot("state", "/system/state", A, "运行情况", "processes, database, recognition"),
    Shot("doctor", "/system/doctor", A, "自检", "this machine examined, and what to do"),
    Shot("storage", "/system/storage", A, "存储", "where recordings lie, how long, how many"),
    Shot("settings", "/system/settings", A, "设置", "every setting with its value and meaning, no secret"),
    Shot("account", "/account", D, "我的账号", "one's own sign-ins and tokens"),
    Shot("help", "/help", D, "帮助", "keys and signs"),
    Shot("not-allowed", "/system/audit", D, "没有权限", "a page that a role does not open, with a way on"),
)
