"""The consolidated monthly invoice of a client: frozen when issued, numbered without gaps by the database."""
