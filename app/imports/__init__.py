"""Directory, rosters and calendar from and into spreadsheets (导入导出): read, compared, confirmed, entered at once."""
