"""How results look: tables, markdown, plots, progress, reports."""
