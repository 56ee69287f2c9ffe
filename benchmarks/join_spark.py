"""The recipe of docs/scale.md for Spark: which documents of an archive does a corpus hold?

    python benchmarks/join_spark.py FINGERPRINTS ARCHIVE

FINGERPRINTS is of `newsdesk export --fingerprints`, ARCHIVE a folder of JSON Lines with `id` and
`text`. Run by a Python that has pyspark, numpy, xxhash, and Newsdesk on its path. It prints the
pairs of story and document by bands, then by sketches.
"""

import json
import sys
from typing import Any

from pyspark.sql import DataFrame, SparkSession  # type: ignore[import-not-found]
from pyspark.sql import functions as F  # type: ignore[import-not-found]  # noqa: N812  # its custom

from ingest.fingerprint import bands, sketch
from ingest.words import words

SHARE = 1 / 3  # of the hashes of the smaller sketch
CAP = 64  # stories; a hash that more have is boilerplate: storage.sketches


def main() -> None:
    """Sign the archive's texts, join, print."""
    fingerprints, archive = sys.argv[1:]
    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = spark.config("spark.sql.shuffle.partitions", "4").getOrCreate()
    signs: Any = F.udf(lambda text: bands(words(text)), "array<binary>")
    sketches: Any = F.udf(lambda text: list(sketch(words(text))), "array<bigint>")
    corpus, texts = spark.read.parquet(fingerprints), spark.read.json(archive)

    def by_bands() -> DataFrame:
        ours = corpus.select("number", F.posexplode("bands").alias("band", "hash"))
        theirs = texts.select("id", F.posexplode(signs("text")).alias("band", "hash"))
        return ours.join(theirs, ["band", "hash"]).select("number", "id").distinct()

    def by_sketches() -> DataFrame:
        size = F.size("sketch")
        ours = corpus.select("number", size.alias("our"), F.explode("sketch").alias("hash"))
        rare = ours.groupBy("hash").count().where(f"count <= {CAP}").select("hash")
        signed = texts.select("id", sketches("text").alias("sketch"))
        theirs = signed.select("id", size.alias("their"), F.explode("sketch").alias("hash"))
        shared = ours.join(rare, "hash").join(theirs, "hash")
        shared = shared.groupBy("number", "id", "our", "their").count()
        return shared.where(f"count >= least(our, their) * {SHARE}").select("number", "id")

    for found in (by_bands(), by_sketches()):
        print(json.dumps(sorted((row.number, row.id) for row in found.collect())))
    spark.stop()


if __name__ == "__main__":
    main()
