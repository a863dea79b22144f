"""指定抽查 and 核号: calls that a person orders now."""
