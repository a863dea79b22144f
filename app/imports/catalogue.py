"""The words of every finding, in both languages, by code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "doubt", "note"]
"""An `error` stops the import; a `doubt` is probably wrong and a person must look; a `note` tells what was left out."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a code says."""

    severity: Severity
    wrong_zh: str
    right_zh: str
    wrong: str
    right: str


CATALOGUE: dict[str, Entry] = {
    # Cells as such
    "empty": Entry("error", "必填项为空", "填写{column}", "it is empty", "fill in {column}"),
    "too_long": Entry(
        "error",
        "超过 {most} 个字",
        "缩短到 {most} 个字以内",
        "it is longer than {most} signs",
        "at most {most} signs",
    ),
    "signs": Entry(
        "error", "含有无法显示的控制字符", "重新输入该单元格", "it holds control signs", "type the cell anew"
    ),
    "error_value": Entry(
        "error",
        "单元格是错误值",
        "改为正确的内容",
        "the cell holds an error value",
        "put the value itself there",
    ),
    "no_result": Entry(
        "error",
        "公式没有保存计算结果",
        "在 Excel/WPS 中打开并保存，或粘贴为数值",
        "the formula has no saved result",
        "open and save the file in Excel or WPS, or paste the values",
    ),
    "merged": Entry(
        "error",
        "单元格被合并到 {into}，不能确定属于哪一行",
        "取消合并，逐行填写（只有单位列可以合并）",
        "it is merged into {into}; it is not clear to which rows the value belongs",
        "undo the merge and fill each row (only the unit's column may be merged)",
    ),
    "bad_choice": Entry(
        "error",
        "不是可选的内容",
        "填写：{choices}",
        "it is none of the words of this column",
        "one of: {choices}",
    ),
    # Numbers
    "bad_number": Entry(
        "error",
        "不是电话号码（{why}）",
        "如 0917-3262000，分机写作 3262000转8012",
        "it is no telephone number ({why_en})",
        "such as 0917-3262000, with an extension 3262000转8012",
    ),
    "scientific": Entry(
        "error",
        "号码成了科学记数或小数，末位数字可能已丢失",
        "把该列设为“文本”格式后重新输入号码",
        "the number became a decimal fraction or an exponent; digits may be lost",
        "format the column as text and type the number again",
    ),
    "several_numbers": Entry(
        "error",
        "一个单元格里有多个号码",
        "每个号码单独一行",
        "there are several numbers in one cell",
        "one row for each number",
    ),
    "emergency": Entry(
        "error",
        "紧急号码，任何情况下都不拨打",
        "删除该行",
        "an emergency number is never dialled",
        "take it out",
    ),
    "zero_lost": Entry(
        "doubt",
        "以数字形式保存，区号前的 0 可能已丢失",
        "把该列设为“文本”格式，写全区号，如 0917-3262000",
        "it is stored as a number; the 0 of the area code may be lost",
        "format the column as text and write the area code with its 0",
    ),
    "odd_phone": Entry(
        "doubt",
        "不像电话号码",
        "核对号码",
        "it does not look like a telephone number",
        "see whether it is right",
    ),
    "mobile_line": Entry(
        "doubt",
        "值班电话是手机号码",
        "值班电话应为固定座机，请核对",
        "the duty line is a mobile number",
        "duty lines are wired; see whether it is right",
    ),
    "fax_is_line": Entry(
        "doubt",
        "传真与值班电话是同一号码（{place}）",
        "传真应当专线专用，请核对",
        "the fax has the number of a duty line ({place})",
        "a fax has a line of its own; see whether it is right",
    ),
    # Days and times
    "bad_date": Entry("error", "不是日期", "如 2026-01-05", "it is no date", "such as 2026-01-05"),
    "date_without_year": Entry(
        "error",
        "日期没有四位数的年份",
        "写全年月日，如 2026-01-05",
        "the date has no year of four digits",
        "such as 2026-01-05",
    ),
    "date_range": Entry(
        "error",
        "日期不在 1970 年至 2200 年之间",
        "核对年份",
        "the date is not within 1970 to 2200",
        "see to its year",
    ),
    "day_order": Entry(
        "error", "结束早于开始", "结束不早于 {first}", "it ends before it begins", "not before {first}"
    ),
    "bad_time": Entry(
        "error",
        "不是时刻",
        "如 08:00，次日写作 次日08:00",
        "it is no time of day",
        "such as 08:00, on the next day 次日08:00",
    ),
    "bad_period": Entry(
        "error",
        "不是起止时间",
        "如 08:00-18:00，跨夜写作 18:00-08:00",
        "it is no period",
        "such as 08:00-18:00, across midnight 18:00-08:00",
    ),
    "shift_length": Entry(
        "error",
        "班次长度不对（{hours} 小时）",
        "一个班次大于 0、不超过 72 小时",
        "the shift is {hours} hours long",
        "more than 0 and at most 72 hours",
    ),
    "shift_day": Entry(
        "error",
        "班次不是从 {day} 当天开始",
        "班次写在它开始的那一天",
        "the shift does not begin on {day}",
        "put a shift on the day on which it begins",
    ),
    "no_times": Entry(
        "doubt",
        "没有时间列，按全天 00:00-24:00 读取",
        "加上“开始”“结束”两列，或“时间”一列",
        "there is no column of times; whole days from 00:00 to 24:00 are taken",
        "add the columns 开始 and 结束, or 时间",
    ),
    # Units
    "unit_unknown": Entry(
        "error",
        "没有这个单位{near}",
        "填写已有的单位，或先在“单位”表中加上",
        "there is no such unit{near_en}",
        "a unit that is known, or add it to the sheet 单位",
    ),
    "unit_ambiguous": Entry(
        "error",
        "有 {count} 个单位叫这个名称",
        "加上“单位编码”列",
        "{count} units have this name",
        "add the column 单位编码",
    ),
    "unit_disagrees": Entry(
        "error",
        "编码 {code} 是“{name}”，与名称不一致",
        "核对编码和名称",
        "the code {code} is of {name}, not of the name beside it",
        "see which of the two is right",
    ),
    "same_name": Entry(
        "doubt",
        "另有同名单位，编码为 {code}",
        "确为同一单位时请填编码 {code}",
        "there is another unit of this name with the code {code}",
        "give the code {code} where both are one unit",
    ),
    "bad_code": Entry(
        "error",
        "不是单位编码",
        "以字母或数字开头，只用字母、数字、“_”“.”“-”，不超过 40 个字",
        "it is no code of a unit",
        "Latin letters and digits, `_`, `.` and `-` between them, at most 40 signs",
    ),
    "parent_cycle": Entry(
        "error",
        "上级单位成了环：{path}",
        "核对上级单位",
        "the units above it lead back to itself: {path}",
        "see to the parents",
    ),
    "too_deep": Entry(
        "error",
        "层级超过 {most} 层",
        "核对上级单位",
        "it lies deeper than {most} levels",
        "see to the parents",
    ),
    "duplicate": Entry(
        "error",
        "与 {place} 重复（{what}）",
        "删去其中一行",
        "it repeats {place} ({what})",
        "take one of the two out",
    ),
    "number_twice": Entry(
        "error",
        "{what} 已在 {place} 写给另一单位",
        "核对号码；合用的值班室只登记一次，另一单位写入“共用单位”列",
        "{place} gives {what} to another unit",
        "see to the number; a shared duty room is entered once, with the other unit in the column 共用单位",
    ),
    "never_dialled": Entry(
        "error",
        "在禁拨之列（紧急号码、禁拨名单或上级值班室号码），不得登记",
        "核对号码",
        "it is on the list of numbers that are never dialled",
        "see to the number",
    ),
    "trunk_unknown": Entry(
        "error",
        "没有这个中继",
        "填写已设置的中继名称，或留空",
        "there is no such trunk",
        "the name of a trunk of ours, or nothing",
    ),
    "too_many": Entry(
        "error", "超过 {most} 个", "不超过 {most} 个", "there are more than {most}", "at most {most}"
    ),
    "same_person": Entry(
        "doubt",
        "与 {place} 是同一单位、同一角色的同名人员",
        "确为两人则保留，否则删去一行",
        "{place} has a person of the same unit, role and name",
        "take one of the two out unless they are two people",
    ),
    "person_ambiguous": Entry(
        "error",
        "该单位有 {count} 位同名人员",
        "写上角色和电话以区别",
        "{count} people of the unit have this name",
        "tell them apart by role and telephone",
    ),
    "by_day": Entry(
        "error",
        "这类豁免按天登记，不能写时刻",
        "只写日期，如 2026-01-05",
        "this exemption goes by days",
        "a day such as 2026-01-05",
    ),
    "number_taken": Entry(
        "error",
        "号码已登记在“{unit}”名下",
        "核对号码；合用的值班室请填“共用单位”",
        "the number is entered for {unit}",
        "see to the number; for a shared duty room use the column 共用单位",
    ),
    "line_unknown": Entry(
        "error",
        "该单位没有这个号码",
        "填写该单位已登记的值班电话，或留空表示全部线路",
        "the unit has no such line",
        "a number of that unit, or nothing for all of its lines",
    ),
    "line_needed": Entry(
        "error",
        "这类豁免须写明线路",
        "填写值班电话",
        "this exemption is of one line",
        "give the number of the line",
    ),
    "overlap": Entry(
        "error",
        "与 {place} 的日期重叠",
        "各段日期首尾相接、互不重叠",
        "its days overlap with {place}",
        "periods that do not overlap",
    ),
    "filed_twice": Entry(
        "error",
        "{name} 在 {place} 已有重叠的班次",
        "核对时间",
        "{name} has an overlapping shift in {place}",
        "see to the times",
    ),
    "refused": Entry("error", "{why}", "按提示修改", "{why}", "change it as it says"),
    "heading_missing": Entry(
        "error",
        "缺少列：{columns}",
        "加上这些列",
        "these columns are missing: {columns}",
        "add them",
    ),
    "heading_twice": Entry(
        "error",
        "列“{column}”出现两次",
        "删去或改名其中一列",
        "the column {column} is there twice",
        "take one out or rename it",
    ),
    "heading_unknown": Entry(
        "note",
        "不认识的列，未读取",
        "如需导入请改用规定的列名",
        "the column is not known and was not read",
        "use a heading of the format",
    ),
    "sheet_unknown": Entry(
        "note",
        "不认识的工作表，未读取",
        "如需导入请改用规定的表名和列名",
        "the sheet is not known and was not read",
        "use titles and headings of the format",
    ),
    "sheet_hidden": Entry(
        "doubt",
        "隐藏的工作表，未读取",
        "如需导入请取消隐藏",
        "the sheet is hidden and was not read",
        "unhide it to import it",
    ),
    "rows_hidden": Entry(
        "doubt",
        "隐藏的行 {rows} 也会导入",
        "不需要的请删除",
        "hidden rows {rows} are imported too",
        "delete them where they are not meant",
    ),
    "column_hidden": Entry(
        "doubt",
        "隐藏的列也会导入",
        "不需要的请删除",
        "the hidden column is imported too",
        "delete it where it is not meant",
    ),
    "sheet_cut": Entry(
        "error",
        "内容超出第 {rows} 行或第 {columns} 列",
        "拆分后分次导入，并删去多余内容",
        "there is content beyond row {rows} or column {columns}",
        "divide the sheet, and delete what is not meant",
    ),
    "taken_as": Entry(
        "doubt",
        "看不出是值班表还是带班表，按“{title}”读取",
        "把工作表命名为“值班表”或“带班表”",
        "it may be a roster of duty officers or of leaders; it was read as {title}",
        "name the sheet 值班表 or 带班表",
    ),
    "no_rows": Entry("note", "没有数据行", "", "there are no rows with data", ""),
    "nothing": Entry(
        "error",
        "文件中没有可以导入的工作表",
        "工作表名：单位、值班方式、线路、人员、值班表、带班表、豁免、日历，或通讯录（单位、值班电话两列）",
        "the file has no sheet that can be imported",
        "sheets 单位, 值班方式, 线路, 人员, 值班表, 带班表, 豁免, 日历, or a list with the columns 单位 and 值班电话",
    ),
    "too_many_findings": Entry(
        "error",
        "问题超过 {most} 处，其余未列出",
        "先改正以上问题",
        "there are more than {most} findings; the rest is not listed",
        "put these right first",
    ),
    "no_category": Entry(
        "note",
        "这里起共 {count} 个新单位没有写“类别”，按“其他”登记，多数规则的条款不约束“其他”",
        "写上“类别”，如 县直部门、镇街",
        "from here on {count} new units have no 类别 and are entered as 其他, which most clauses do not bind",
        "fill in 类别, such as 县直部门 or 镇街",
    ),
    "past_judged": Entry(
        "doubt",
        "这一天已过去，改动不影响已作出的认定",
        "确需更正再导入",
        "the day is over; verdicts that were made stay as they are",
        "import it only to put the record right",
    ),
}
"""Every code by name. The words in braces are filled in."""
