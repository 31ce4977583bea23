"""Messages between the sides of an application, a contract or a dispute, and a client's announcements."""

from marketplace.messages.kinds import Kind, Parties, Side, Subject, kinds

__all__ = ["Kind", "Parties", "Side", "Subject", "kinds"]
