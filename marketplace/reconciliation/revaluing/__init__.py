"""What is held and owed in other currencies, at the rates of a month's end: 6020, and back on day one."""
