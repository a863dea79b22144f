"""提示音样本: marked announcements."""
