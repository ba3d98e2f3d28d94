"""Render the ledger as one HTML page that loads nothing and needs no JavaScript."""

from pytest_unlearn.report.html.page import render as render
