"""What the regulations say: rule sets as versioned data, whom they bind, and which one is in force."""
