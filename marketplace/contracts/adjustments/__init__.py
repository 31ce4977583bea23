"""Bonuses, and corrections of pay up or down: what is not hours times a rate, with its reason."""
