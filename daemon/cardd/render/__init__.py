"""Settings as real programs read them: subtrees rendered into files, and programs told of it."""
