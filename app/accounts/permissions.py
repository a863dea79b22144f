"""Who may do what: permissions, and the roles that carry them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum


class Role(StrEnum):
    """What an account is for. An account may hold several, but see `APART`."""

    DISPATCHER = "dispatcher"
    """总值班室: plans, directory, calls under way."""
    SUPERVISOR = "supervisor"
    """督查: listens, confirms or overturns."""
    INSPECTOR = "inspector"
    """检查员: tables."""
    ADMINISTRATOR = "administrator"
    """系统管理员: trunks, rules, accounts as asked for; hears nothing."""
    SECURITY = "security"
    """安全管理员: lets what an administrator asks for an account come into force."""
    AUDITOR = "auditor"
    """安全审计员: reads the audit trail, and nothing else."""


ROLE_ZH: Mapping[Role, str] = {
    Role.DISPATCHER: "总值班室",
    Role.SUPERVISOR: "督查",
    Role.INSPECTOR: "检查员",
    Role.ADMINISTRATOR: "系统管理员",
    Role.SECURITY: "安全管理员",
    Role.AUDITOR: "安全审计员",
}
APART = frozenset({Role.ADMINISTRATOR, Role.SECURITY, Role.AUDITOR})
"""三员分立: none of them goes together with any other role in one account."""


class Permission(StrEnum):
    """What a door asks for. The roles that carry each stand in `CARRIED`."""

    SIGNED_IN = "signed_in"
    OVERVIEW = "overview"
    DIRECTORY = "directory"
    DIRECTORY_CHANGE = "directory_change"
    WHEREABOUTS = "whereabouts"
    NUMBERS = "numbers"
    """See mobile numbers of people and forwarding targets whole; others see them masked."""
    CALENDAR = "calendar"
    CALENDAR_CHANGE = "calendar_change"
    PLANS = "plans"
    PLANS_CHANGE = "plans_change"
    PLANS_APPROVE = "plans_approve"
    CHECKS = "checks"
    LIVE = "live"
    LISTEN = "listen"
    """Hear recordings, read their words, download their evidence."""
    REVIEW = "review"
    MITIGATE = "mitigate"
    MANUAL_CHECKS = "manual_checks"
    STOP = "stop"
    STOP_LIFT = "stop_lift"
    TABLES = "tables"
    PUBLISH = "publish"
    RULES = "rules"
    RULES_CHANGE = "rules_change"
    TRUNKS = "trunks"
    TRUNKS_CHANGE = "trunks_change"
    ALARMS = "alarms"
    PHONE_RECORDS = "phone_records"
    RETENTION = "retention"
    ACCOUNTS = "accounts"
    ACCOUNTS_CHANGE = "accounts_change"
    ACCOUNTS_APPROVE = "accounts_approve"
    AUDIT = "audit"
    SYSTEM = "system"


PERMISSION_ZH: Mapping[Permission, str] = {
    Permission.SIGNED_IN: "登录后可用",
    Permission.OVERVIEW: "总览",
    Permission.DIRECTORY: "查看单位与电话",
    Permission.DIRECTORY_CHANGE: "维护单位与电话",
    Permission.WHEREABOUTS: "领导去向",
    Permission.NUMBERS: "查看完整手机号",
    Permission.CALENDAR: "查看日历",
    Permission.CALENDAR_CHANGE: "维护日历",
    Permission.PLANS: "查看抽查计划",
    Permission.PLANS_CHANGE: "制定抽查计划",
    Permission.PLANS_APPROVE: "批准夜间抽查与提示语",
    Permission.CHECKS: "查看抽查记录",
    Permission.LIVE: "实时通话",
    Permission.LISTEN: "听录音",
    Permission.REVIEW: "认定与复核",
    Permission.MITIGATE: "登记减轻情形",
    Permission.MANUAL_CHECKS: "人工补录",
    Permission.STOP: "紧急停拨",
    Permission.STOP_LIFT: "解除停拨",
    Permission.TABLES: "报表",
    Permission.PUBLISH: "通报",
    Permission.RULES: "查看规则",
    Permission.RULES_CHANGE: "维护规则",
    Permission.TRUNKS: "查看中继",
    Permission.TRUNKS_CHANGE: "维护中继",
    Permission.ALARMS: "告警",
    Permission.PHONE_RECORDS: "电话记录单",
    Permission.RETENTION: "录音保存期限",
    Permission.ACCOUNTS: "查看账号",
    Permission.ACCOUNTS_CHANGE: "申请开设与变更账号",
    Permission.ACCOUNTS_APPROVE: "审批账号",
    Permission.AUDIT: "审计日志",
    Permission.SYSTEM: "系统运行",
}

_D, _S, _I = Role.DISPATCHER, Role.SUPERVISOR, Role.INSPECTOR
_A, _SEC, _U = Role.ADMINISTRATOR, Role.SECURITY, Role.AUDITOR

CARRIED: Mapping[Permission, frozenset[Role]] = {
    Permission.SIGNED_IN: frozenset(Role),
    Permission.OVERVIEW: frozenset({_D, _S, _I}),
    Permission.DIRECTORY: frozenset({_D, _S, _I}),
    Permission.DIRECTORY_CHANGE: frozenset({_D}),
    Permission.WHEREABOUTS: frozenset({_D, _S}),
    Permission.NUMBERS: frozenset({_D, _S}),
    Permission.CALENDAR: frozenset({_D, _S, _I, _A}),
    Permission.CALENDAR_CHANGE: frozenset({_D, _A}),
    Permission.PLANS: frozenset({_D, _S}),
    Permission.PLANS_CHANGE: frozenset({_D}),
    Permission.PLANS_APPROVE: frozenset({_S}),
    Permission.CHECKS: frozenset({_D, _S, _I}),
    Permission.LIVE: frozenset({_D, _S}),
    Permission.LISTEN: frozenset({_S}),
    Permission.REVIEW: frozenset({_S}),
    Permission.MITIGATE: frozenset({_D, _S}),
    Permission.MANUAL_CHECKS: frozenset({_D, _S, _I}),
    Permission.STOP: frozenset(Role),
    Permission.STOP_LIFT: frozenset({_D, _S}),
    Permission.TABLES: frozenset({_D, _S, _I}),
    Permission.PUBLISH: frozenset({_I}),
    Permission.RULES: frozenset({_D, _S, _I, _A}),
    Permission.RULES_CHANGE: frozenset({_A}),
    Permission.TRUNKS: frozenset({_D, _S, _A}),
    Permission.TRUNKS_CHANGE: frozenset({_A}),
    Permission.ALARMS: frozenset({_D, _S, _A}),
    Permission.PHONE_RECORDS: frozenset({_D, _S}),
    Permission.RETENTION: frozenset({_S, _A}),
    Permission.ACCOUNTS: frozenset({_A, _SEC}),
    Permission.ACCOUNTS_CHANGE: frozenset({_A}),
    Permission.ACCOUNTS_APPROVE: frozenset({_SEC}),
    Permission.AUDIT: frozenset({_U}),
    Permission.SYSTEM: frozenset({_A}),
}


def carried_by(roles: Iterable[Role]) -> frozenset[Permission]:
    """Return what these roles together may do."""
    held = frozenset(roles)
    return frozenset(permission for permission, roles in CARRIED.items() if roles & held)


def apart(roles: Iterable[Role]) -> bool:
    """Whether these roles may be one account's where duties are kept apart (三员分立)."""
    held = frozenset(roles)
    return not (held & APART) or len(held) == 1
