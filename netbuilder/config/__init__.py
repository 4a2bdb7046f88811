"""The text of a document to a checked `Architecture`, and back."""
