"""A small news site of our own making, and a tour of Newsdesk on it; off line."""
