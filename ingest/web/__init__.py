"""The only package that opens a connection: guarded, bounded, polite."""
