"""English prose without end, the same for the same seed: news that nobody else has."""

from random import Random


def _listed(words: str) -> list[str]:
    return words.replace("\n", "").split("|")


PLACES = _listed("""
Aldbourne|Birkwell|Carrondale|Dunmore|Eastmuir|Fenwick|Glenrath|Harlow|Inverlock
|Jarrowby|Kelsbridge|Langholm|Marchmont|Netherby|Ormskill|Pentland|Queensbury|Rosemarkie
|Stonehaven|Thornhill|Ullapool|Varley|Westbrook|Yarrowford|Ashcombe|Broughton|Corriemuir
|Draycott
""")
BODIES = _listed("""
council|health board|housing trust|school governors|police force|harbour authority
|bus company|library service|fire brigade|parish assembly|water company|farmers' union
|choir|museum trustees|rowing club|chamber of commerce|ambulance service
|planning committee
""")
THINGS = _listed("""
bridge|clinic|harbour wall|market hall|bus route|reading room|flood barrier|playground
|day centre|swimming pool|railway halt|orchard|theatre|recycling depot|cycle path
|care home|lighthouse|town clock|weir|ferry timetable|nursery|allotment|war memorial
|workshop
""")
DID = _listed("""
approved|postponed|questioned|welcomed|reopened|inspected|defended|redesigned|costed
|paid for|measured|abandoned|repaired|praised|extended|closed|surveyed
|repainted
""")
WHEN = _listed("""
on Monday evening
|after a long debate|without a vote|for the third time|in heavy rain
|before the summer holidays|at a packed meeting|behind closed doors|with one voice
|by a narrow margin|in the old town hall|during the spring fair|as the snow melted
|to loud applause
""")
PEOPLE = _listed("""
Anna Bryce|Callum Drew|Edith Farrow|Gordon Hale|Isla Jardine|Kenneth Lamb|Moira Nairn
|Oliver Pym|Rhona Sloan|Thomas Usher|Vera Wishart|Zoe Abbott|Brian Cole|Dora Ellis
|Fergus Grant|Hilda Irving|Jack Kerr|Lena Moss
""")
ROLES = _listed("""
who lives next door|a retired engineer|the youngest member|who has kept the accounts
|a nurse of thirty years|whose family farms there|the former provost
|a teacher from the valley|who chairs the residents' group|a ferry pilot|a beekeeper
|the site manager
""")
WHY = _listed("""
because the old one leaks|since nobody else would|although money is short
|while others wait|so that children can walk there|as the law now asks
|if the weather holds|until a better plan is found|because two winters have been lost
|though the survey is not complete|now that the lease has ended
|before the grant runs out
""")
FEEL = _listed("""
hopeful|angry|relieved|puzzled|proud|cautious|amused|tired|certain|doubtful|delighted
|surprised|grateful|stubborn|impatient
""")
SHAPES = (
    "The {body} in {place} {did} the {thing} {when}, {why}.",
    "{person}, {role}, said the {thing} at {place} had left her neighbours {feel} and {feel2}.",
    "It will cost {n} thousand pounds to mend the {thing}, and the {body} has found {m} of them.",
    "In {place} the {thing} was {did} {when}, and {person} called it the work of {n} volunteers.",
    "Nobody in {place} was {feel} when the {body} {did} the {thing}, {why}.",
    "A letter from the {body} to {person}, {role}, gives {n} reasons and asks for {m} more weeks.",
    "Of {n} people who came {when}, {m} spoke about the {thing} and went home {feel}.",
    "{person} remembers how the {thing} of {place} was {did} in the year of the great flood.",
    "The {thing} and the {thing2} will share one roof, {why}, the {body} of {place} has decided.",
    "What the {body} {did} {when} may be undone in {place}, {why}, {person} warned.",
    "There were {n} objections from {place} to the {thing}, of which {person} had written {m}.",
    "Work on the {thing} begins in {n} days and ends, {why}, in {m} months at the latest.",
)


def _sentence(chance: Random) -> str:
    pick = chance.choice
    return pick(SHAPES).format(
        body=pick(BODIES), place=pick(PLACES), did=pick(DID), thing=pick(THINGS),
        thing2=pick(THINGS), when=pick(WHEN), why=pick(WHY), person=pick(PEOPLE),
        role=pick(ROLES), feel=pick(FEEL), feel2=pick(FEEL),
        n=chance.randrange(11, 98), m=chance.randrange(3, 96),
    )  # fmt: skip


def story(seed: str, sentences: int = 14) -> tuple[str, list[str]]:
    """Return a title and paragraphs of two sentences each."""
    chance = Random(seed)
    title = (
        f"{chance.choice(BODIES).capitalize()} of {chance.choice(PLACES)} {chance.choice(DID)} the "
        f"{chance.choice(THINGS)} and the {chance.choice(THINGS)}"
    )
    told = [_sentence(chance) for _ in range(sentences)]
    return title, [" ".join(told[at : at + 2]) for at in range(0, sentences, 2)]
