"""The report on a series of networks, from their documents and runs."""
