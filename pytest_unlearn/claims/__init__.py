"""Audits of a model or a method, one claim a folder; a leak never raises."""
