"""The pages of accounts, by what people come to do. Each module adds its own to the blueprint."""

from flask import Blueprint

bp = Blueprint("accounts", __name__)

import marketplace.accounts.views.legal  # noqa: E402
import marketplace.accounts.views.people  # noqa: E402
import marketplace.accounts.views.registering  # noqa: E402
import marketplace.accounts.views.security  # noqa: E402
import marketplace.accounts.views.signing_in  # noqa: E402
import marketplace.accounts.views.team  # noqa: E402, F401
