"""What a person should know: a list on the site, and e-mail."""
