"""Statements of reasons and appeals: nothing is decided against a person without saying why."""
