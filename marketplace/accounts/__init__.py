"""People, their sign-ins, organizations and roles."""
