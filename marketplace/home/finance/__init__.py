"""What finance looks at each morning: cash, what is owed, the next ten days, alarms, and what waits."""
