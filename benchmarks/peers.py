"""What others made for the same work, each installed into an environment of its own.

Under .scratch/peers, by uv, which set-up installs; the releases are named, so that a figure can be
had again. What cannot be installed is left out, with a word.
"""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

FOLDER = Path(".scratch/peers")
PEERS = {
    # reader 3.26 imports sgmllib, which feedparser 6.0.14 no longer brings
    "reader": ("reader==3.26", "sgmllib3k"),
    "trafilatura": ("trafilatura[all]==2.3.1", "lxml_html_clean"),
    "news-please": ("news-please==1.6.16", "lxml_html_clean"),
    "fundus": ("fundus==0.5.7", "curl_cffi==0.14.0"),  # 0.17 has lost a name that it imports
    "script": (
        "datasketch==2.0.0", "feedparser==6.0.14", "httpx==0.28.1",
        "trafilatura[all]==2.3.1", "lxml_html_clean",
    ),
    "datasketch": ("datasketch[redis]==2.0.0",),
    "rensa": ("rensa",),
    "datatrove": ("datatrove==0.10.1", "xxhash", "tokenizers", "regex", "orjson", "pyarrow"),
    "spark": ("pyspark==4.3.0", "numpy", "xxhash"),
    "fastwarc": ("fastwarc==2.0.0",),
}  # fmt: skip


@cache
def python(name: str) -> str | None:
    """Return the Python in which a peer is installed; None, with a word, when it cannot be."""
    folder, wanted = FOLDER.resolve() / name, json.dumps(PEERS[name])
    there, found = folder / "bin" / "python", folder / "installed"
    if found.exists() and found.read_text() == wanted:
        return str(there)
    uv = [str(Path(sys.executable).with_name("uv")), "--quiet"]
    try:
        made = [*uv, "venv", "--clear", "--python", sys.executable, str(folder)]
        subprocess.run(made, check=True)
        install = [*uv, "pip", "install", "--python", str(there), *PEERS[name]]
        subprocess.run(install, check=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"without {name}, which could not be installed: {error}", file=sys.stderr)
        return None
    found.write_text(wanted)
    return str(there)


def release(name: str) -> str:
    """Return a peer's name and release as they are told to people."""
    return PEERS[name][0].split("[")[0].replace("==", " ")
