"""Tax on our fee: dated rates, what clients say about themselves, and from both what applies to whom."""
