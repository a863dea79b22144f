"""The sheets of the format and their columns: headings, other names that are accepted, and what a column holds.

The first name of a column is the one that exports write. docs/reference/import-format.md names them all; a test holds
that.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.imports import values
from app.imports.grid import Value
from app.imports.moments import read_period
from app.imports.values import Reader

SheetKind = Literal["units", "regimes", "lines", "people", "duty", "leader", "exemptions", "days", "book"]

CATEGORIES: Mapping[str, str] = {
    "市": "city",
    "地市": "city",
    "市级": "city",
    "县区": "county",
    "县": "county",
    "区": "county",
    "县级": "county",
    "开发区": "county",
    "高新区": "county",
    "镇街": "town",
    "镇": "town",
    "乡": "town",
    "乡镇": "town",
    "街道": "town",
    "街道办": "town",
    "市直部门": "city_department",
    "市直": "city_department",
    "市级部门": "city_department",
    "县直部门": "county_department",
    "县直": "county_department",
    "县级部门": "county_department",
    "部门": "county_department",
    "企事业单位": "institution",
    "企业": "institution",
    "事业单位": "institution",
    "学校": "institution",
    "人民团体": "institution",
    "其他": "other",
    "其它": "other",
}
DUTY: Mapping[str, str] = {"在岗值班": "onsite", "在岗": "onsite", "电话值班": "phone", "电话": "phone"}
LEADING: Mapping[str, str] = {
    "在岗带班": "onsite",
    "在岗": "onsite",
    "电话带班": "phone",
    "电话": "phone",
    "双带班": "double",
    "无": "none",
    "不带班": "none",
}
LINES: Mapping[str, str] = {
    "值班电话": "duty",
    "值班": "duty",
    "座机": "duty",
    "带班电话": "leader",
    "带班": "leader",
    "传真": "fax",
    "传真电话": "fax",
    "其他": "other",
    "其它": "other",
}
ROLES: Mapping[str, str] = {
    "值班员": "duty_officer",
    "值班人员": "duty_officer",
    "带班领导": "leader",
    "带班": "leader",
    "主要负责人": "principal",
    "负责人": "principal",
    "主要领导": "principal",
    "联系人": "contact",
    "联络员": "contact",
}
STAFFING: Mapping[str, str] = {
    "在编": "established",
    "正式": "established",
    "公务员": "established",
    "事业编": "established",
    "临聘": "contract",
    "聘用": "contract",
    "临时": "contract",
    "退休返聘": "rehired",
    "返聘": "rehired",
    "实习": "intern",
    "三支一扶": "intern",
    "西部计划": "intern",
    "见习": "intern",
    "工勤": "worker",
    "未核实": "unknown",
    "不详": "unknown",
}
EXEMPTIONS: Mapping[str, str] = {
    "允许呼叫转移": "forwarding",
    "呼叫转移": "forwarding",
    "允许彩铃": "crbt",
    "彩铃": "crbt",
    "允许传真": "fax",
    "传真": "fax",
    "线路维护": "maintenance",
    "设备维护": "maintenance",
    "维护": "maintenance",
    "应急处置中": "emergency",
    "应急处置": "emergency",
}
DAYS: Mapping[str, str] = {
    "工作日": "workday",
    "双休日": "weekend",
    "周末": "weekend",
    "法定节假日": "holiday",
    "节假日": "holiday",
    "调休工作日": "makeup_workday",
    "补班": "makeup_workday",
    "调休上班": "makeup_workday",
    "调休后的公休日": "lieu_day",
    "调休公休日": "lieu_day",
    "调休": "lieu_day",
}


def _period(value: Value, tell: values.Tell) -> object:
    values.as_text(value)
    return read_period(value)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a sheet."""

    key: str
    names: tuple[str, ...]
    """Headings, the usual one first."""
    read: Reader
    needed: bool = False
    """The column must be there, and filled in every row."""
    fills: bool = False
    """A merged range of it gives its value to every row that it covers."""
    exported: bool = True
    form: Literal["text", "day"] = "text"
    width: int = 14


@dataclass(frozen=True, slots=True)
class Layout:
    """One kind of sheet."""

    kind: SheetKind
    titles: tuple[str, ...]
    """Titles of the sheet, the usual one first."""
    columns: tuple[Column, ...]
    one_of: tuple[tuple[str, ...], ...] = ()
    """Of each of these groups of columns one must be there."""

    @property
    def title(self) -> str:
        """The usual title."""
        return self.titles[0]

    def column(self, key: str) -> Column:
        """Return a column by its key."""
        return next(column for column in self.columns if column.key == key)


def folded(heading: str) -> str:
    """Return a heading as headings are compared: in one width, without space, marks and remarks in brackets."""
    plain = unicodedata.normalize("NFKC", heading)
    kept, depth = [], 0
    for sign in plain:
        depth += sign in "([【"
        if (
            depth == 0
            and not sign.isspace()
            and unicodedata.category(sign) not in ("Cf", "Cc")
            and sign not in "*:_"
        ):
            kept.append(sign)
        depth = max(0, depth - (sign in ")]】"))
    return "".join(kept).lower()


_CODE = Column("unit", ("单位编码", "单位代码", "机构编码"), values.code(40), fills=True)
_NAME = Column(
    "unit_name",
    ("单位名称", "单位", "机构名称", "单位全称", "值班单位", "部门"),
    values.text(120),
    fills=True,
    width=24,
)
_UNIT = (_CODE, _NAME)
_EITHER = (("unit", "unit_name"),)
_FIRST = Column("first_day", ("启用日期", "生效日期", "起始日期"), values.day, form="day")
_LAST = Column("last_day", ("停用日期", "失效日期", "截止日期"), values.day, form="day")
_START = Column("start", ("开始", "开始时间", "起", "上班时间"), values.clock)
_END = Column("end", ("结束", "结束时间", "止", "下班时间"), values.clock)
_PERIOD = Column(
    "period", ("时间", "值班时间", "带班时间", "起止时间", "时段", "班次"), _period, exported=False
)
_LINE_NUMBER = (
    "值班电话",
    "电话号码",
    "号码",
    "电话",
    "办公电话",
    "座机",
    "固定电话",
    "值班室电话",
    "值班座机",
)
_EXTENSION = Column("extension", ("分机", "分机号", "分机号码"), values.code(8), exported=False)
_PHONES = ("手机", "手机号码", "手机号", "联系电话", "联系方式", "移动电话", "电话")


def _roster(kind: SheetKind, titles: tuple[str, ...], names: tuple[str, ...]) -> Layout:
    return Layout(
        kind,
        titles,
        (
            Column("day", ("日期", "值班日期", "带班日期"), values.day, needed=True, fills=True, form="day"),
            *_UNIT,
            Column("name", names, values.names, needed=True),
            Column("title", ("职务", "职位", "职务职级"), values.text(80)),
            Column("phone", _PHONES, values.phone),
            _PERIOD,
            _START,
            _END,
        ),
        _EITHER,
    )


LAYOUTS: tuple[Layout, ...] = (
    Layout(
        "units",
        ("单位", "单位表", "单位名录", "单位信息"),
        (
            Column("code", ("单位编码", "编码", "单位代码", "代码", "机构编码"), values.code(40)),
            Column(
                "name",
                ("单位名称", "名称", "单位", "机构名称", "单位全称"),
                values.text(120),
                needed=True,
                width=24,
            ),
            Column(
                "parent",
                ("上级单位", "上级", "主管单位", "所属单位", "上级单位编码"),
                values.text(120),
                fills=True,
            ),
            Column(
                "category", ("类别", "单位类别", "层级", "单位类型"), values.choice(CATEGORIES), fills=True
            ),
            Column("kind", ("分组", "单位分组", "组别"), values.text(40), fills=True),
            Column("handover", ("交接班时间", "交接班", "换班时间"), values.clocks),
            _FIRST,
            _LAST,
        ),
    ),
    Layout(
        "regimes",
        ("值班方式", "值班制度", "值班形式"),
        (
            *_UNIT,
            Column("duty", ("值班方式", "值班形式"), values.choice(DUTY), needed=True),
            Column("leader", ("带班方式", "带班形式"), values.choice(LEADING), needed=True),
            Column(
                "first_day", ("开始日期", "起始日期", "启用日期", "开始"), values.day, needed=True, form="day"
            ),
            Column("last_day", ("结束日期", "截止日期", "停用日期", "结束"), values.day, form="day"),
            Column("note", ("说明", "备注"), values.text(4000, long=True), width=30),
        ),
        _EITHER,
    ),
    Layout(
        "lines",
        ("线路", "线路表", "值班线路"),
        (
            *_UNIT,
            Column("name", ("线路名称", "电话名称", "名称"), values.text(80)),
            Column("number", _LINE_NUMBER, values.printed_number, needed=True, width=20),
            _EXTENSION,
            Column("target", ("拨打号码", "实拨号码", "拨号"), values.dialled, width=20),
            Column("kind", ("线路类型", "电话类型", "类型", "用途"), values.choice(LINES)),
            Column("trunk", ("中继", "中继线路"), values.text(64)),
            Column("active", ("启用", "是否启用", "状态"), values.yes_or_no),
            Column("shared", ("共用单位", "合用单位"), values.codes, width=20),
            Column("pilots", ("引示号", "引示号码", "总机号码", "总机号"), values.numbers, width=20),
            _FIRST,
            _LAST,
        ),
        _EITHER,
    ),
    Layout(
        "people",
        ("人员", "人员表", "值班人员", "人员名单"),
        (
            *_UNIT,
            Column("name", ("姓名", "名字", "人员姓名"), values.text(80), needed=True),
            Column("title", ("职务", "职位", "职务职级"), values.text(80)),
            Column("role", ("角色", "身份", "人员类别", "值班身份"), values.choice(ROLES)),
            Column("staffing", ("人员性质", "编制", "编制性质", "性质"), values.choice(STAFFING)),
            Column("phone", _PHONES, values.phone),
            _FIRST,
            _LAST,
        ),
        _EITHER,
    ),
    _roster("duty", ("值班表", "值班安排", "值班安排表"), ("姓名", "值班人员", "值班员", "值班人")),
    _roster("leader", ("带班表", "带班安排", "带班安排表"), ("姓名", "带班领导", "带班人员", "带班人")),
    Layout(
        "exemptions",
        ("豁免", "豁免表", "豁免登记"),
        (
            *_UNIT,
            Column("number", _LINE_NUMBER, values.printed_number, width=20),
            Column("kind", ("豁免类型", "类型", "豁免事项", "事项"), values.choice(EXEMPTIONS), needed=True),
            Column(
                "first",
                ("开始", "开始日期", "开始时间", "起始日期", "起"),
                values.moment,
                needed=True,
                width=18,
            ),
            Column("last", ("结束", "结束日期", "结束时间", "截止日期", "止"), values.moment, width=18),
            Column(
                "reason",
                ("理由", "原因", "事由", "说明"),
                values.text(4000, long=True),
                needed=True,
                width=30,
            ),
        ),
        _EITHER,
    ),
    Layout(
        "days",
        ("日历", "日历表", "工作日历", "节假日"),
        (
            Column("day", ("日期",), values.day, needed=True, form="day"),
            Column("kind", ("类型", "日期类型", "类别", "日类型"), values.choice(DAYS)),
            Column("name", ("名称", "节日", "节日名称"), values.text(80)),
            Column("sensitive", ("敏感期", "特殊敏感期", "重要时段"), values.yes_or_no),
            Column("sensitive_name", ("敏感期名称", "重要时段名称"), values.text(80)),
            Column("note", ("备注", "说明"), values.text(4000, long=True), width=30),
        ),
        (("kind", "sensitive"),),
    ),
    Layout(
        "book",
        ("通讯录", "值班电话", "电话表", "电话簿"),
        (
            *_UNIT,
            Column("parent", ("上级单位", "上级", "主管单位", "所属单位"), values.text(120), fills=True),
            Column(
                "category", ("类别", "单位类别", "层级", "单位类型"), values.choice(CATEGORIES), fills=True
            ),
            Column("kind", ("分组", "单位分组", "组别"), values.text(40), fills=True),
            Column("number", _LINE_NUMBER, values.numbers_to_dial, needed=True, width=20),
            _EXTENSION,
            Column("fax", ("传真", "传真号码", "传真电话", "传真号"), values.numbers_to_dial),
            Column("principal", ("主要负责人", "负责人", "主要领导"), values.text(80)),
            Column("leader", ("带班领导", "分管领导"), values.text(80)),
            Column("duty_officer", ("值班员", "值班人员"), values.text(80)),
            Column("contact", ("联系人", "联络员"), values.text(80)),
            Column("title", ("职务", "职位", "职务职级"), values.text(80)),
            Column("phone", _PHONES[:-1], values.phone),
        ),
        _EITHER,
    ),
)
BY_KIND: Mapping[str, Layout] = {layout.kind: layout for layout in LAYOUTS}
BOOK_PEOPLE = ("principal", "leader", "duty_officer", "contact")
"""Columns of a 通讯录 that name a person; 职务 and 手机 belong to the nearest of them to the left."""
IGNORED = frozenset(
    folded(name)
    for name in ("序号", "编号", "备注", "说明", "星期", "no", "no.", "行号", "填报人", "填报时间")
)
"""Headings that lists carry for their reader."""
CLEAR = "清空"
"""What stands in a cell whose old value is to be taken out; an empty cell leaves it."""
GUIDE = "填写说明"
"""Title of the sheet of the empty workbook that says how to fill it in. It is read by people alone."""
