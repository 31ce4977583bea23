"""What a person should know: a list on the site, and e-mail."""

from marketplace.notifications.notices import notify, unread_count

__all__ = ["notify", "unread_count"]
