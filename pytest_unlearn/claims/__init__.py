"""Audits: one claim a file, task + model -> Evidence. They never raise on a leak and know no pytest."""
