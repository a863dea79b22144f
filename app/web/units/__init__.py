"""单位与电话: the tree of units, their telephones and people, rosters, confirmations."""
