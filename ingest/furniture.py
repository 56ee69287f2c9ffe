"""Lines of a page -> lines of its story: page furniture goes, each line with the rule that took it.

Three kinds of evidence: what a line says (a widget's label, a call to the reader), what it is on
its page (wholly a link, the title again), where else it stands (the site's other pages). A rule
looks at a whole line and asks for more than one word; a call to the reader must not quote or
report; what a story may also say is furniture only above or below it. Agency credits and
copyright lines belong to the story (format rule 8) and stay.

The phrases come from the five seeds and from 206 news pages of 2004 to 2026 that people marked;
tests/quality pins what they do there.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

MAX_WORDS = 90  # a longer line is never furniture for what it says

_WIDGET = """
a account add and app article as back bluesky bookmark button by click close comment comments copied
copy favourite for forward friend friends google here i icon in instagram it like link list mail
mastodon messenger more news new now of on open opens or order our page pdf pin pocket post rss send
skip snapchat social story text the this threads tiktok to toggle tumblr url us using via viber
video view watch wechat window with x youtube your
"""
_MARK = """
addthis addtoany bookmark clipboard email facebook flipboard follow linkedin permalink pinterest
print reddit reprints save share shares sharing subscribe telegram top tweet twitter whatsapp
"""
_DATE = """
a about ago am an and at bst by cest cet created date day days ct edt est et first from gmt hour
hours hr hrs in ist issued last min mins minute minutes modified month months news of on pdt pm
posted pst pt published publication release released revised st nd rd th the time today update
updated utc week weeks yesterday mon monday tue tues tuesday wed wednesday thu thur thurs thursday
fri friday sat saturday sun sunday jan january feb february mar march apr april may jun june jul
july aug august sep sept september oct october nov november dec december
"""
_PIECES = {  # patterns that others name as <piece>
    "network": r"(facebook|twitter|x|instagram|linkedin|youtube|tiktok|threads|bluesky|telegram"
    r"|whatsapp|google news|apple news|social media|@\w+)",
    "list": r"(articles?|stories|news|posts?|links?|topics?|content|reading|coverage|videos?)",
    "this": r"(this|our|the) (article|story|page|post|coverage|stories)",
    "label": r"(section|type|date published|published|posted( in| on| by)?|filed under"
    r"|categor(y|ies)|tags?|tagged( with)?|topics?|keywords|reading time|news date|release date"
    r"|last updated|authors?|content type|image credits?)\s*:",
    "call": r"((please |to |click here to |why not |then )?(sign ?up|subscribe|register|join|get"
    r"|receive|read|enter your|download|become|support|help us|donate|upgrade|continue|access|stay"
    r"|keep up|check|try|want|never miss|don't miss|listen to)|for (the latest|more|just|only"
    r"|unlimited)|by (signing|entering|submitting|clicking)|thank(s| you) for (signing|subscribing)"
    r"|there's plenty more|this (newsletter|email)|our (website|newsletter|free)|start your"
    r"|you (can|have|may) (also |now )*(sign|subscribe))",
    "offer": r"(newsletters?|inbox|subscri(be|bers?|ptions?|bing)|e-?mail alerts?|push (alert"
    r"|notification)s?|our (free )?(\w+ )?apps?|breaking news|(whatsapp|telegram) (channel|group"
    r"|community)|daily (edition|briefing|digest|bulletin)|privacy (policy|notice)|our journalism"
    r"|ad(vert)?-free|preferred source|paywalls?|daily national news)",
    "say": r"(e-?mail|ring|call|whatsapp|text|tweet|message|contact|get in touch|let|tell|share"
    r"|write|send|click|sign up|join|subscribe|comment)",
    "hail": r"(follow|((find|join|like|add|connect with|reach|tweet) (us|him|her|them|the \w+)))",
    "press": r"(story|stories|news|tips?|article|comments?|newsletters?|sign up|us)",
    "asks": r"[^.?]*\b(you|your|got|spotted|like this)\b[^.?]*\?\W*",
    "where": r"(now|today|stories|articles|(in|on|from|at|by|for) [\w' .&-]{1,40})",
    "to": r" ?([:|»>→]|[-–—] ).{3,}",
}
# Each line below is one or more patterns for a whole line of text in lower case, its quotation
# marks straight and its list mark gone. The number is the most words such a line has.
_SAID: Mapping[tuple[str, int], str] = {
    ("advert", 16): r"""
        adverti[sz]ements?|advert|ad|sponsored( content| by .{1,40})?|paid (content|post)
        promoted( content)?|article content|commercial feature
        .{0,60}\b(story|article|content) continues (below|after)\b.{0,40}
        (.{0,40}\b)?(scroll|swipe) (down|left|right|to|up)\b.{0,60}
        """,
    ("affiliate_notice", 60): r"""
        .{0,80}\b(earn( us)? an? (small |affiliate )*commission|get a share of the sale).*
        we independently (select|review|choose|evaluate).*|.{0,40}\bcontains affiliate links.*
        """,
    ("list_heading", 12): r"""
        most (read|popular|viewed|shared|watched|commented|recent)( <where>)?\W*
        (trending|popular|top stories|editor'?s'? (picks?|choice|recommendations?))( <where>)?\W*
        (related|recommended|recent|latest|more|other|further|similar|popular) <list>( <where>)?\W*
        (related( to this)?|recommended for you|more like this|up next|keep reading)\W*
        (read (more|next|also|on)|see (also|more)|also (read|see|on [\w.]+)|story timeline)\W*
        more (on|about) this( story| topic| subject)?\W*|more from [\w' .&-]{1,40}
        (we thought )?you (may|might)( also)* (like|enjoy|be interested in|have missed)( this)?\W*
        (what to (read|watch) next|don't miss( out)?|in case you missed it|around the web)\W*
        (something to consider|on this page|in this (article|story))\W*
        (\d+ |no )?comments?( \(?\d+\)?| yet| closed)?\W*
        """,
    ("pointer", 45): r"""
        (also |must )?read( more| also| next| on| this)?<to>|see (also|more)<to>
        related( (?!to)\w+)?<to>|more( on this| on)?<to>|watch( now| live| more)?<to>
        (listen( now)?|learn more|find out more|don't miss|further reading|recommended|up next)<to>
        (in pictures|in case you missed it|you (may|might) (also )?like|photos|gallery|video)<to>
        read more (about|on|from|at|here|in|stories)\b[^.]*\.?|for more (stories|news)\b[^.]*\.?
        also on [\w-]+\.\w+\b.*|click here (to|for)\b.*
        """,
    ("reprint_notice", 70): r"""
        this copy is for your personal.*|to order presentation-ready.*
        (order|buy|request) reprints?\b.{0,60}|(republish|reprint) (this|our) (article|story)\b.*
        """,
    ("site_message", 20): r"""
        an error (has )?occurred.*|please (try again|wait)\b.{0,40}|thank you[.!]?|success[.!]?
        thanks for (signing|subscribing|reading).*|this article has been sent.*|loading\W*
        .{0,40}\b(enable|turn on|requires) javascript\b.*
        .{0,30}browser (does not|doesn't) support\b.*
        (sorry, )?this (video|content) (is|can|could|has)\b.{0,20}\b(unavailable|not be|expired)\b.*
        (play|pause|mute|watch|view)( video| gallery| image| now)?|video player.{0,40}
        image \d+ of \d+|skip (to|advert).{0,40}|expand|(show|hide|view|load|see) (more|less|all)
        """,
}
_CALLS: Mapping[tuple[str, int], str] = {  # of a line that neither quotes nor reports: _REPORTS
    ("sign_up", 70): r"""
        <call>\b.*\b<offer>\b.*|([\w'-]+\W+){0,3}<offer>\W*([\w'-]+\W*){0,2}
        become a (member|subscriber|supporter)\b.{0,80}
        .*\b(delivered|straight|sent) (\w+ ){0,3}to your inbox\b.*
        """,
    ("follow", 60): r"""
        (you can )?(also )?<hail>\b( [\w.'&-]+){0,8} (on|at|via) <network>.*
        """,
    ("contact", 50): r"""
        (please )?<say>\b(?=.*\b(our (news|team|desk|reporters?)|us (at|on|by|via|your))\b).*
        (we|we'd|we would|the times) (?=.*\b<press>\b).{0,120}\bhear (from you|what you|your)\b.*
        """,
    ("asks_reader", 60): r"""
        (?=.*\?)(?=.*\b<press>\b)<asks>([\w']+ ){0,4}<say>\b.*|help us improve\b.{0,60}
        (did|do) you (enjoy|like)( reading)? this\b.{0,60}|how (useful|helpful) was this.{0,40}
        (was|is) <this> (helpful|useful|of interest).{0,40}|like this (story|article|post)\?.{0,60}
        would you like to comment.{0,40}|if you (enjoyed|liked|valued?) (<this>|our)\b.*
        .*\b(let us know|tell us|share your \w+)\b.*\bcomments?\b.{0,40}
        """,
    ("comment_prompt", 30): r"""
        (leave|add|post|write) (a|your) (comment|reply|response)\b.{0,60}
        (join|start) the (conversation|discussion|debate)\W*|submit a letter to the editor.*
        have your say( (below|in the comments).{0,40})?\W*|let us know what you think.*
        (please )?(you (must|need to) be )?(log|sign)(ged|ed)? in (to|or) (comment|reply|post)\b.*
        sign up\b.{0,30}\bor (sign|log) in\b.{0,40}|comments (are|have been|will be|for this)\b.*
        your e-?mail address will not be.*|what do you think\b[^.?]{0,60}\?.{0,40}
        please read our comment.*|.{0,40}public display name.*|please log ?out\b.*
        """,
}
_AROUND: Mapping[tuple[str, int], str] = {  # above or below a story only: it may say so itself
    ("labels", 30): r".{0,60}?<label>.{1,80}<label>.*|<label>.*",
    ("reading_time", 6): r"(reading time:? )?\d+[ -]min(ute)?s?( read)?|reading time\b.*",
    ("follow", 70): r".*\bfollow (him|her|them|us|me|\w+ [\w-]+) (on|at) <network>.*",
    ("contact", 30): r"""
        (please |for more information,? )?<say>\b.*(\S@|@\S|\[email).*
        [^?]*\byou\b[^?]*\?.*(\S@\S|\[email).*
        """,
    ("pointer", 30): r"""
        (find out|see|learn|discover|hear) more (about|on|from|at|here|in|by)\b[^.]*\.?
        for more (information|details|on this)\b[^.]*\.?
        """,
}
Rules = tuple[tuple[str, int, re.Pattern[str]], ...]


def _compiled(rules: Mapping[tuple[str, int], str]) -> Rules:
    def pattern(lines: str) -> re.Pattern[str]:
        joined = "|".join(filter(None, map(str.strip, lines.split("\n"))))
        return re.compile(re.sub(r"<(\w+)>", lambda name: _PIECES[name[1]], joined))

    return tuple((name, most, pattern(lines)) for (name, most), lines in rules.items())


_SAID_RULES, _CALL_RULES, _AROUND_RULES = map(_compiled, (_SAID, _CALLS, _AROUND))
_WIDGET_WORDS, _MARKS, _DATE_WORDS = (frozenset(w.split()) for w in (_WIDGET + _MARK, _MARK, _DATE))
_REPORTS = re.compile(r"[\"“”]|^'|\b(said|says|told|added|according to)\b")
_CREDIT = re.compile(
    r"\W*((additional |with )?report(ing|s) (by|from)|copyright\b|©|\(c\)|source:|picture \(c\))"
)
_BYLINE = re.compile(
    r"(?i:((words|written|story|reported|posted) )?by:?)"
    r"( ([A-Z][\w.'’-]*,?|and|for|of|in|the|&|\|)){1,10}"
)
_GLUED = re.compile(r"(?<=\S)\s*(click to tweet|tweet this)\s*$", re.IGNORECASE)
_ENDS = re.compile(r"[.!?…]['\"”’)\]]*$")
_ADDRESS = re.compile(r"(https?://)?[\w.-]+\.\w{2,}(/\S*)?|\S+@\S+")
_FIGURES = re.compile(r"\d[/.]\d\d?[/.]\d|\d:\d\d|\d{4}-\d\d-\d\d")
_STRAIGHT = str.maketrans("‘’“”", "''\"\"")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Removed:
    """One line that was taken out, and the rule that took it."""

    rule: str
    line: str


def key(line: str) -> str:
    """Return what two spellings of one line share: its words in lower case, parted by spaces."""
    return " ".join(_WORD.findall(line.lower().replace("’", "").replace("'", "")))


def is_date(line: str) -> bool:
    """Tell whether a line holds nothing but a date or a time of day."""
    if len(line) > 100 or not any(map(str.isdigit, line)):
        return False
    found = key(line).split()
    named = any(len(w) > 2 and not w[0].isdigit() for w in found) or _FIGURES.search(line)
    return bool(named) and all(w in _DATE_WORDS or w.strip("apmsthndr").isdigit() for w in found)


def clear(
    lines: Iterable[str],
    *,
    about: frozenset[str] = frozenset(),
    links: frozenset[str] = frozenset(),
    recurring: frozenset[str] = frozenset(),
) -> tuple[tuple[str, ...], tuple[Removed, ...]]:
    """Part the lines of a page's body into those of its story and the furniture.

    The sets hold keys (see key): `about` of the page's titles and of its site's and authors'
    names; `links` of texts that are wholly a link to elsewhere; `recurring` of lines that stand
    on the site's other pages as well.
    """
    trimmed = [_GLUED.sub("", line) for line in lines]
    keys = [key(line) for line in trimmed]
    rules = [
        _anywhere(line, k, about, links, recurring) for line, k in zip(trimmed, keys, strict=True)
    ]
    reads = [n for n, line in enumerate(trimmed) if not rules[n] and _reads(line)]
    first, last = (reads[0], reads[-1]) if reads else (0, len(trimmed))
    for n, rule in enumerate(rules):
        if not rule and not first <= n <= last:
            rules[n] = _around(trimmed[n], keys[n], about, n < first)
    for n, rule in enumerate(rules):
        if rule == "list_heading":
            _strike_list(trimmed, keys, rules, n + 1, links)
        elif not rule and trimmed[n].endswith(":"):
            _spare_list(trimmed, rules, n + 1)
    parted = list(zip(trimmed, rules, strict=True))
    kept = tuple(line for line, rule in parted if not rule)
    return kept, tuple(Removed(rule, line) for line, rule in parted if rule)


def _anywhere(
    line: str, k: str, about: frozenset[str], links: frozenset[str], recurring: frozenset[str]
) -> str:
    """Name the rule by which a line is furniture wherever it stands; "" when none does."""
    if not k:
        return "" if "_" in line else "no_words"  # "___" divides a story, as agencies send it
    if k in recurring:
        return "recurs"
    count = k.count(" ") + 1
    plain = _plain(line) if count <= MAX_WORDS else ""
    if not plain or _CREDIT.match(plain):
        return ""
    if count > 3 and k in about:
        return "about_page"
    found = set(k.split()) if count < 16 else set()
    if found & _MARKS and found <= _WIDGET_WORDS:
        return "share_widget"
    calls = () if _REPORTS.search(plain) else _CALL_RULES
    if said := _says(plain, count, (*_SAID_RULES, *calls)):
        return said
    if k in links and count > 2 and not _ENDS.search(line) and not _ADDRESS.fullmatch(plain):
        return "linked"
    cue, _, rest = plain.partition(":")
    linked = rest.count(" ") > 3 > cue.count(" ") and key(rest) in links
    return "pointer" if linked else ""


def _around(line: str, k: str, about: frozenset[str], above: bool) -> str:
    """Name the rule by which a line is furniture above or below a story's sentences."""
    plain = _plain(line)
    if _CREDIT.match(plain):
        return ""
    if k in about:
        return "about_page"
    if is_date(line):
        return "date_line"
    if above and line.isupper() and k.count(" ") < 5:
        return "kicker"
    if _BYLINE.fullmatch(line):
        return "byline"
    return _says(plain, k.count(" ") + 1, _AROUND_RULES)


def _says(plain: str, count: int, rules: Rules) -> str:
    return next((name for name, most, said in rules if count <= most and said.fullmatch(plain)), "")


def _strike_list(
    lines: Sequence[str], keys: Sequence[str], rules: list[str], start: int, links: frozenset[str]
) -> None:
    """Strike what stands under the heading of a list of other stories.

    That is every list line and link right below it; and all the rest of the page where links and
    other lines take turns, for those are teasers.
    """
    listed = {n for n in range(start, len(lines)) if lines[n].startswith("- ") or keys[n] in links}
    end = start
    while end < len(lines) and (end in listed or rules[end]):
        end += 1
    others = [n for n in range(start, len(lines)) if n not in listed and not rules[n]]
    if sum({n - 1, n + 1} <= listed for n in others) > 1 and listed.issuperset(
        n - 1 for n in others
    ):
        end = len(lines)
    for n in range(start, end):
        if not rules[n] and not _CREDIT.match(_plain(lines[n])):
            rules[n] = "under_heading"


def _spare_list(lines: Sequence[str], rules: list[str], start: int) -> None:
    """Keep a list of links that a line of the story announces."""
    for n in range(start, len(lines)):
        if not lines[n].startswith("- "):
            return
        if rules[n] == "linked":
            rules[n] = ""


def _plain(line: str) -> str:
    return " ".join(line.translate(_STRAIGHT).split()).removeprefix("- ").lower()


def _reads(line: str) -> bool:
    """Tell whether a line reads like a sentence of a story."""
    count = len(line.split())
    return count > 24 or (count > 5 and bool(_ENDS.search(line)))
