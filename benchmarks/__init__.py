"""Measures: each module prints a table and writes JSON. Nothing here is a test."""
