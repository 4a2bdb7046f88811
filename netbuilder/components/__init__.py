"""Every kind that a document can name, and the grammar they share."""
