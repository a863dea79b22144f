"""人工补录: checks that were made by hand."""
