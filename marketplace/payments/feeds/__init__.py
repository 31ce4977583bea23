"""A calendar of an expert's weeks and pay, read by calendar programs at a secret address (RFC 5545)."""
