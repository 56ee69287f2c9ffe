"""Is the page a question about cookies and not a story?"""

import re
from urllib.parse import urlsplit

from ingest.filters.case import Case

FEW_WORDS = 250  # consent pages have some 900 characters (feeds research, row 83)
_HOST = re.compile(r"(?:consent|guce|cmp|privacy)\.|.*\.consent\.")
_PHRASE = re.compile(
    r"we (?:and our (?:\w+ )?partners|value your privacy)|before you continue|store and/or access"
    r" information|(?:accept|reject|agree to) all|manage (?:your )?(?:preferences|options|choices|"
    r"settings|cookies)|personali[sz]ed (?:ads|advertising|content)|(?:use of|uses?) cookies"
    r"|cookie (?:policy|settings|preferences)|your consent|legitimate interest|privacy policy"
    r"|withdraw (?:your )?consent|tracking technolog",
    re.IGNORECASE,
)


def consent_page(case: Case) -> str | None:
    """Find fault with a page that asks for consent: by its host, or by what its body says.

    A banner on a story's page is no fault: where there is a body, only the body is asked.
    """
    host = urlsplit(case.url).hostname or ""
    if _HOST.match(host) and not _HOST.match(urlsplit(case.entry.url).hostname or ""):
        return f"host={host}"
    signals = case.extract.signals
    if signals.text_words >= FEW_WORDS:
        return None
    text = " ".join(case.extract.blocks) or signals.sample
    said = sorted({found.lower() for found in _PHRASE.findall(text)})
    wanted = 3 if len(text.split()) > 60 else 2
    if len(said) < wanted:
        return None
    return f"says={', '.join(map(repr, said[:4]))} words={signals.text_words}"
