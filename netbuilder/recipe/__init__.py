"""The recipe: every kind that a document's ``train`` section names, torch-free until it is made."""
