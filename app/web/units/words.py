"""The words of the directory's pages, in Chinese; each is translated where it is shown."""

from __future__ import annotations

from collections.abc import Mapping

CATEGORY: Mapping[str, str] = {
    "city": "市",
    "county": "县区",
    "town": "镇街",
    "city_department": "市直部门",
    "county_department": "县直部门",
    "institution": "企事业单位",
    "other": "其他",
}
DUTY: Mapping[str, str] = {"onsite": "在岗值班", "phone": "电话值班"}
LEADER: Mapping[str, str] = {"onsite": "在岗带班", "phone": "电话带班", "double": "双带班", "none": "无带班"}
LINE_KIND: Mapping[str, str] = {"duty": "值班电话", "leader": "带班电话", "fax": "传真", "other": "其他电话"}
VERIFICATION: Mapping[str, str] = {"pending": "待核号", "verified": "已核号", "failed": "核号未通"}
ROLE: Mapping[str, str] = {
    "duty_officer": "值班员",
    "leader": "带班领导",
    "principal": "主要负责人",
    "contact": "联系人",
}
STAFFING: Mapping[str, str] = {
    "established": "在编",
    "contract": "临聘",
    "rehired": "退休返聘",
    "intern": "实习",
    "worker": "工勤",
    "unknown": "未核实",
}
LINE_EXEMPTION: Mapping[str, str] = {"forwarding": "允许呼叫转移", "crbt": "允许彩铃", "fax": "允许传真"}
UNIT_EXEMPTION: Mapping[str, str] = {"maintenance": "线路或设备维护", "emergency": "应急处置中"}
OUTCOME: Mapping[str, str] = {"pending": "待办", "entered": "已录入", "dismissed": "已作废"}
ROSTER_KIND: Mapping[str, str] = {"duty": "值班表", "leader": "带班表"}
CONFIRMATION: Mapping[str, str] = {
    "confirmed": "已核对",
    "early": "本季末再核对",
    "due": "本周应核对",
    "overdue": "逾期未核对",
}
ACTION: Mapping[str, str] = {
    "unit.enter": "新增单位",
    "unit.change": "修改单位",
    "unit.move": "调整上级",
    "unit.close": "撤销单位",
    "unit.exempt": "登记豁免",
    "unit.confirm": "季度核对",
    "regime.enter": "登记值班方式",
    "regime.change": "修改值班方式",
    "line.enter": "新增线路",
    "line.change": "修改线路",
    "line.share": "修改共用单位",
    "line.exempt": "登记线路豁免",
    "person.enter": "新增人员",
    "person.change": "修改人员",
    "number-change.report": "收到号码变更",
    "number-change.enter": "录入号码变更",
    "number-change.dismiss": "作废号码变更",
    "roster.file": "报送值班表",
}
"""Of the audit trail: what is told of a unit's history."""
MEMBER: Mapping[str, str] = {
    "code": "代码",
    "name": "名称",
    "kind": "类型",
    "category": "类别",
    "handover_times": "交接班时间",
    "first_day": "启用日期",
    "last_day": "停用日期",
    "number": "号码",
    "target": "拨打号码",
    "trunk": "中继",
    "pilot_numbers": "引示号",
    "active": "启用",
    "title": "职务",
    "role": "角色",
    "staffing": "人员性质",
    "phone": "手机",
}
"""Members of entries, as the trail names what was changed."""
WEEKDAYS = ("一", "二", "三", "四", "五", "六", "日")
