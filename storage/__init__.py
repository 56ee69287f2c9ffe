"""The three shelves: catalog (decisions), archive (pages), corpus (stories). No network here."""
