"""Shared by claims: inputs, findings, controls, the verdict rule, evidence."""
