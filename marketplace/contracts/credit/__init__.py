"""Credit lines: a client works on money that is still to come, up to an amount and until a day."""
