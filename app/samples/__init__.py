"""The library of samples (提示音样本): recordings of announcements that were marked once and are heard again."""
