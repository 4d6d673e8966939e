"""What Cardea is held against: other libraries, each used as well as it allows."""
