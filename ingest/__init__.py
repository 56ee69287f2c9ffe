"""The three verbs, discover, fetch and sift, and what they need."""
