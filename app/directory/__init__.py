"""Units, duty lines and exemptions (单位与电话)."""
