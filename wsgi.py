"""The site for a WSGI server: `gunicorn wsgi:app`, which `marketplace serve` runs."""

from marketplace import logs, settings
from marketplace.app import create_app

logs.start(settings.current().log_level)
app = create_app(settings.current())
