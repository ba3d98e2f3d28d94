"""Calls for tests: assertions, property tests, conformance tests."""
