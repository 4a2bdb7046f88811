"""Render results: tables, markdown, plots, progress, reports."""
