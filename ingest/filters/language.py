"""Is the story in a language of the topic?"""

from ingest.filters.case import Case


def language(case: Case) -> str | None:
    """Find fault with a story in another language than its topic's; one in none we know passes."""
    found = case.extract.language
    if not found or found in case.topic.languages:
        return None
    return f"language={found} wanted={','.join(case.topic.languages)}"
