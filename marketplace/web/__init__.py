"""What every page shares: the session of a request, guards, forms, paging, errors. Knows no slice."""

from marketplace.web.access import actor, db_session, guard, public, safe_path
from marketplace.web.forms import Form, Part, day_field, money_field, try_form
from marketplace.web.pages import file_response, page
from marketplace.web.paging import Page, further, how_many, paged
from marketplace.web.tables import table_response

__all__ = [
    "Form",
    "Page",
    "Part",
    "actor",
    "day_field",
    "db_session",
    "file_response",
    "further",
    "guard",
    "how_many",
    "money_field",
    "page",
    "paged",
    "public",
    "safe_path",
    "table_response",
    "try_form",
]
