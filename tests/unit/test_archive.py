"""The folder of WARC files; what holds for an object store, too, is in tests/contract."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from storage.archive import Archive
from storage.model import Place
from tests.builders import PAGE


def test_a_writer_killed_at_any_moment_leaves_readable_records(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from storage.archive import Archive; "
        "from tests.builders import PAGE; import sys\n"
        f"archive = Archive(Path({str(tmp_path)!r}))\n"
        "while True: print(archive.append(PAGE).offset, flush=True)"
    )
    writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert writer.stdout
    written = [int(writer.stdout.readline()) for _ in range(50)]

    os.kill(writer.pid, signal.SIGKILL)
    written += [int(line) for line in writer.stdout]
    writer.wait()
    writer.stdout.close()

    (file,) = tmp_path.iterdir()
    places = [Place(file=file.name, offset=o, length=n - o) for o, n in pairwise(written)]
    assert [Archive(tmp_path).read(place) for place in places] == [PAGE] * len(places)


def test_no_file_of_the_archive_is_named_by_a_page(tmp_path: Path) -> None:
    hostile = replace(PAGE, url="http://a.example/../../x", final_url="http://../%2e%2e/CON\\..")

    with Archive(tmp_path / "archive") as archive:
        place = archive.append(hostile)

    assert re.fullmatch(r"newsdesk-\d{20}-\d+\.warc\.gz", place.file)
    assert [path.name for path in tmp_path.rglob("*.*")] == [place.file]
