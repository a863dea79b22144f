"""电话记录单: the list, the form, the sheet."""
