"""What the documents say, held to what the code does: every block, name and number in them."""
