"""What went wrong with the database server, for whoever runs the machine."""


class ServerError(Exception):
    """No usable database server. The message is a sentence that says what to do."""
