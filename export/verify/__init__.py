"""Runs exported files as servers and phones do, and measures what they answer."""
