"""Try the parsers of strangers' bytes with bytes that find new ways through them.

    python -m tests.fuzz [TARGET...] [--seconds 60]    each for so long, in a process of its own
    python -m tests.fuzz TARGET --again FILE           what a found input does, with its traceback

What is learnt stays in state/fuzz/TARGET/corpus, for the next run to begin with.
"""

import argparse
import hashlib
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz import TARGETS, target
from tests.fuzz.samples import MOST

STATE = Path(__file__).parents[2] / "state" / "fuzz"
INPUT_SECONDS, MEGABYTES = 10, 2_000  # for one input; more is a find
MISSING = """atheris is not installed. For CPython 3.11 or newer on Linux: pip install -e '.[fuzz]'
(no wheel for your machine: https://github.com/google/atheris tells how to build it)"""
HOW = """  found: {found}
    see it:        python -m tests.fuzz {name} --again {found}
    make it a test: cut it down to what matters and put it, as a claim, into tests/unit; mend the
    product; run the target once more, for it stops at its first find"""


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    asked.formatter_class = argparse.RawDescriptionHelpFormatter
    asked.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    asked.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    asked.add_argument("--again", type=Path, metavar="FILE", help="run one input; needs no atheris")
    given = asked.parse_args()
    if unknown := set(given.targets) - set(TARGETS):
        asked.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    if given.again and not given.targets:
        asked.error("--again needs the TARGET that the input is for")
    if given.again:
        for name in given.targets:
            target(name).run(given.again.read_bytes())
        print("nothing is wrong with it (any more)")
        return 0
    if find_spec("atheris") is None:
        print(MISSING, file=sys.stderr)
        return 2
    return max([fuzz(name, given.seconds) for name in given.targets or TARGETS])


def fuzz(name: str, seconds: int) -> int:
    """Run one target and say how it went; 1 when it found something."""
    folder = STATE / name
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    seeds = [seed[:MOST] for seed in target(name).seeds()]
    for seed in seeds:
        (corpus / hashlib.sha1(seed).hexdigest()).write_bytes(seed)
    words = folder / "words"
    words.write_text("".join(map(word, filter(None, seeds))))
    before = set(folder.iterdir())
    arguments = [
        f"-max_total_time={seconds}", f"-timeout={INPUT_SECONDS}", f"-rss_limit_mb={MEGABYTES}",
        f"-max_len={MOST}", f"-artifact_prefix={folder}/", f"-dict={words}", str(corpus),
    ]  # fmt: skip
    log = folder / "log"
    with log.open("wb") as out:
        command = [sys.executable, "-m", "tests.fuzz.child", name, *arguments]
        status = subprocess.run(command, stdout=out, stderr=out, check=False).returncode
    told = log.read_text(errors="replace")
    runs = re.findall(r"^#(\d+)\s", told, re.M) or ["0"]
    covered = re.findall(r"cov: (\d+)", told) or ["0"]
    found = sorted(set(folder.iterdir()) - before - {log})
    ended = "" if status == 0 else f", ended with status {status}: see {log}"
    print(f"{name}: {runs[-1]} executions, {covered[-1]} branches, {len(found)} finds{ended}")
    for path in found:
        print(HOW.format(found=path, name=name))
    return int(status != 0)


def word(seed: bytes) -> str:
    """Return a short seed as a line of libFuzzer's dictionary, to be put in anywhere."""
    spelt = "".join(f"\\x{byte:02x}" for byte in seed)
    return f'"{spelt}"\n' if len(seed) < 32 else ""


if __name__ == "__main__":
    sys.exit(main())
