"""What an answer tells: unit, name, title and numbers that were heard, compared with the books as they stood."""
