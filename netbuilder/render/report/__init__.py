"""The report about a series of networks, made from their documents and runs."""
