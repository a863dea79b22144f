"""Directory, rosters and calendar from spreadsheets, previewed before anything is kept, and out again."""
