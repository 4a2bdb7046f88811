"""What is known or made of an architecture without training it."""
