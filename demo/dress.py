"""What a page looks like: each outlet has furniture of its own; and pages that are walls."""

import json
from datetime import datetime
from html import escape

from demo.texts import Text


def courier(text: Text, day: datetime) -> str:
    """A town's daily: a tower of links, sharing, most read, comments."""
    return f"""<!doctype html><html lang="en-GB"><head><meta charset="utf-8">
<title>{escape(text.title)} | The Calder Courier</title>
<meta property="og:title" content="{escape(text.title)}"><meta property="og:type" content="article">
<meta property="article:published_time" content="{day.isoformat()}"></head><body>
<div class="cookie-banner">We use cookies to make this site work. <button>Accept all</button></div>
<header><a href="/">The Calder Courier</a><nav><ul><li><a href="/news">News</a></li>
<li><a href="/sport">Sport</a></li><li><a href="/whats-on">What's on</a></li>
<li><a href="/jobs">Jobs</a></li></ul></nav></header>
<main><article><h1>{escape(text.title)}</h1>
<p class="byline">By Our Own Reporter</p><time datetime="{day.isoformat()}">{day:%d %B %Y}</time>
<ul class="share"><li><a href="#">Facebook</a></li><li><a href="#">Copy link</a></li></ul>
{_paragraphs(text)}
<div class="tags"><a href="/tag/care">Care</a> <a href="/tag/council">Council</a></div></article>
<aside><h2>Most read in News</h2><ol><li><a href="/1">Ten things to do this weekend</a></li>
<li><a href="/2">Road to shut for roadworks</a></li></ol></aside>
<section id="comments"><h3>Comments</h3><p>Please log in to comment.</p></section></main>
<footer><p>The Calder Courier is a member of nobody in particular.</p></footer></body></html>"""


def weekly(text: Text, day: datetime) -> str:
    """The trade press: JSON-LD, a newsletter box in mid-text, related links."""
    about = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": text.title,
        "datePublished": day.isoformat(),
    }
    half = len(text.paragraphs) // 2
    first, rest = Text("", text.paragraphs[:half]), Text("", text.paragraphs[half:])
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>{escape(text.title)} - Care Sector Weekly</title>
<script type="application/ld+json">{json.dumps(about)}</script></head><body>
<div id="masthead"><a href="/">Care Sector Weekly</a> <a href="/subscribe">Subscribe</a></div>
<div id="menu"><a href="/news">News</a> | <a href="/opinion">Opinion</a>
| <a href="/jobs">Jobs</a></div>
<div id="content" role="main"><h1 class="entry-title">{escape(text.title)}</h1>
<div class="entry-meta">Posted on {day:%d/%m/%Y} by Newsroom</div>
<div class="entry-content">{_paragraphs(first)}
<div class="newsletter"><p>Get the week's news in your inbox.</p><input type="email"></div>
{_paragraphs(rest)}</div>
<div class="related"><h4>You might also like</h4><ul>
<li><a href="/a">Five tips for managers</a></li>
<li><a href="/b">Awards: the shortlist</a></li></ul></div></div>
<div id="footer">Care Sector Weekly, all rights reserved. <a href="/privacy">Privacy</a></div>
</body></html>"""


def newsroom(text: Text, day: datetime) -> str:
    """A public body: breadcrumbs, notes to editors, a feedback form."""
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>{escape(text.title)} :: Northgate Health and Care Newsroom</title>
<meta name="dcterms.date" content="{day:%Y-%m-%d}"></head><body>
<a class="skip" href="#main">Skip to main content</a>
<div class="breadcrumbs"><a href="/">Home</a> &gt; <a href="/news">News</a></div>
<div id="main"><h1>{escape(text.title)}</h1><p class="date">Published: {day:%d %B %Y}</p>
<div class="body">{_paragraphs(text)}</div>
<div class="feedback"><p>Is this page useful?</p><a href="#yes">Yes</a> <a href="#no">No</a></div>
</div><footer><ul><li><a href="/accessibility">Accessibility</a></li>
<li><a href="/contact">Contact</a></li></ul></footer></body></html>"""


def wire(text: Text, day: datetime) -> str:
    """An agency: hardly any furniture, a credit line."""
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>{escape(text.title)}</title><meta name="date" content="{day:%Y-%m-%d}"></head><body>
<p><a href="/">Union Wire</a></p><article><h1>{escape(text.title)}</h1>{_paragraphs(text)}
<p>Copyright (c) Union Wire {day:%Y}, All Rights Reserved.</p></article></body></html>"""


def _paragraphs(text: Text) -> str:
    return "\n".join(f"<p>{escape(paragraph, quote=False)}</p>" for paragraph in text.paragraphs)


def paywall(text: Text, day: datetime) -> str:
    """The first paragraph, and a request for money."""
    locked = '{"@type": "NewsArticle", "isAccessibleForFree": false}'
    teaser = Text(text.title, (text.paragraphs[0], "Subscribe to continue reading this story."))
    script = f'<script type="application/ld+json">{locked}</script></head>'
    return courier(teaser, day).replace("</head>", script)


BOT_WALL = """<!doctype html><html lang="en"><head><title>Just a moment...</title></head><body>
<h1>Checking if the site connection is secure</h1><noscript>Enable JavaScript and cookies to
continue</noscript><p>This site needs to review the security of your connection before
proceeding.</p><p>Ray ID: 0000demo0000</p></body></html>"""
CONSENT = """<!doctype html><html lang="en"><head><title>Before you continue</title></head><body>
<h1>Before you continue</h1><p>We use cookies and data to deliver and maintain our services, to
track outages and protect against spam, fraud and abuse, and to measure audience engagement.</p>
<p>If you choose Accept all, we will also use cookies and data to develop new services, to deliver
and measure the effectiveness of ads, and to show personalised content, depending on your
settings.</p><p>If you choose Reject all, we will not use cookies for these additional purposes.
Select More options to see additional information, including details about managing your privacy
settings. You can also visit our privacy tools page at any time.</p>
<form><button>Reject all</button> <button>Accept all</button></form></body></html>"""
