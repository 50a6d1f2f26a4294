"""Reads the exports in the working folder with the readers that are installed.

The record: 18 readings and 11 misses of one station, 2024-03-01, as tests/cli/export.rs makes it.
Says which readers are missing; ends with an error when one reads something else than was written.
"""

import importlib
import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile

missing, read = [], []


def is_there(module):
    """Whether a module can be imported; a missing package hides those inside it."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def reader(*modules):
    """Runs a check where its modules are installed."""

    def run(check):
        lacking = [name for name in modules if not is_there(name)]
        if lacking:
            missing.append(f"{check.__name__}: {', '.join(lacking)} not installed")
            return
        check(*(importlib.import_module(name) for name in modules))
        read.append(check.__name__)

    return run


def same(found, wanted, what):
    if found != wanted:
        sys.exit(f"{what}: {found!r}, not {wanted!r}")


def near(found, wanted, what):
    if not abs(found - wanted) < 1e-6:
        sys.exit(f"{what}: {found!r}, not {wanted!r}")


@reader("csv")
def standard_library(csv):
    with open("sky.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    same(len(rows), 29, "rows of the table")
    same(sum(row["miss"] == "" for row in rows), 18, "readings of the table")
    with open("sky.jsonl", encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    same([line["slot"] for line in lines], [row["slot"] for row in rows], "slots of the lines")
    with open("sky.csv.meta.json", encoding="utf-8") as file:
        about = json.load(file)
    same([c["name"] for c in about["columns"]], list(rows[0]), "columns")


@reader("pyarrow.parquet", "pyarrow.dataset", "pyarrow")
def pyarrow(parquet, dataset, arrow):
    table = parquet.read_table("sky.parquet")
    same(table.num_rows, 29, "rows of parquet")
    same(table.column("okta").null_count, 11, "rows without an okta")
    same(table.schema.field("slot_utc").type, arrow.timestamp("ms", tz="UTC"), "type of slot_utc")
    same(table.schema.field("slot").type, arrow.timestamp("ms"), "type of slot")
    same(table.schema.field("okta").type, arrow.int8(), "type of okta")
    same(table.column("picture_name")[0].as_py(), "ñ-1.jpg", "picture_name")
    told = parquet.read_metadata("sky.parquet").metadata
    same(told[b"license"], b"CC-BY-4.0", "license")
    same(json.loads(told[b"celaje"])["stations"][0]["readings"], 18, "readings that are told")
    same(parquet.read_table("tree").column("station").to_pylist(), ["rio-grande"] * 29, "the tree")
    tree = dataset.dataset("tree", format="parquet", partitioning="hive").to_table()
    same((tree.num_rows, set(tree.column("year").to_pylist())), (29, {2024}), "the folders")


@reader("duckdb")
def duckdb(database):
    def ask(query):
        return database.sql(query).fetchall()

    same(ask("SELECT count(*), count(okta) FROM 'sky.parquet'"), [(29, 18)], "rows")
    found = ask(
        "SELECT station, year, count(*) FROM read_parquet('tree/**/*.parquet', "
        "hive_partitioning = true) GROUP BY ALL"
    )
    same(found, [("rio-grande", 2024, 29)], "the folders")
    found = ask("SELECT miss, count(*) FROM 'sky.csv' WHERE miss IS NOT NULL GROUP BY 1 ORDER BY 1")
    same(found, [("http_status", 5), ("not_found", 6)], "misses")
    same(ask("SELECT zones.south FROM 'sky.jsonl' LIMIT 1"), [(0.5679,)], "a zone")


@reader("polars")
def polars(frames):
    table = frames.read_parquet("sky.parquet")
    same(table.shape[0], 29, "rows")
    same(table["okta"].null_count(), 11, "rows without an okta")
    same(str(table["slot_utc"][0]), "2024-03-01 03:02:00+00:00", "slot_utc")
    tree = frames.scan_parquet("tree/**/*.parquet", hive_partitioning=True).collect()
    same((tree.shape[0], tree["year"].unique().to_list()), (29, [2024]), "the folders")
    same(frames.read_ndjson("sky.jsonl")["miss"].null_count(), 18, "readings of the lines")
    same(frames.read_csv("sky.csv")["cloud_fraction"][0], 0.3333, "cloud_fraction")


@reader("xarray", "netCDF4")
def xarray(arrays, _):
    with arrays.open_dataset("sky.nc") as sky:
        same(dict(sky.sizes)["time"], 29, "times")
        same(str(sky["time"].values[0])[:19], "2024-03-01T03:02:00", "time")
        near(float(sky["cloud_area_fraction"][0]), 0.3333, "cloud_area_fraction")
        same(int(sky["okta"].isnull().sum()), 11, "times without an okta")
        near(float(sky["label_high"][1]), 5, "label_high")
        same(sky.attrs["license"], "CC-BY-4.0", "license")
        name = sky["picture_name"].values[0]
        same(name if isinstance(name, str) else name.decode(), "ñ-1.jpg", "picture_name")
        meanings = sky["slot_status"].attrs["flag_meanings"].split()
        same(meanings[int(sky["slot_status"][3])], "not_found", "slot_status")
        same(str(sky["taken_at"].values[0])[:19], "2024-03-01T03:02:07", "taken_at")


@reader("compliance_checker.runner")
def compliance_checker(_):
    checker = pathlib.Path(sys.executable).with_name("compliance-checker")
    # What ACDD asks for beside: no name of CF is one of a probability.
    allowed = {"cf:1.11": [], "acdd:1.3": ["confidence"]}
    for convention, others in allowed.items():
        options = ["-t", convention, "-c", "strict", "-f", "json", "-o", "-", "sky.nc"]
        told = subprocess.run([checker, *options], capture_output=True, text=True, check=False)
        try:
            report = json.loads(told.stdout[told.stdout.index("{") :])
        except ValueError:
            sys.exit(f"{convention}: {told.stdout}\n{told.stderr}")
        priorities = ["high_priorities"]
        if convention.startswith("cf"):
            priorities += ["medium_priorities", "low_priorities"]
        complaints = [
            f"{result['name']}: {result['msgs']}"
            for priority in priorities
            for result in report.get(convention, report)[priority]
            # Some remarks come with full marks.
            if result["value"] and result["value"][0] < result["value"][1]
        ]
        complaints = [c for c in complaints if not any(other in c for other in others)]
        same(complaints, [], convention)


@reader("eccodes", "csv2bufr")
def csv2bufr(eccodes, csv2bufr):
    root = pathlib.Path(__file__).resolve().parents[2]
    mapping = json.loads((root / "contrib/csv2bufr.json").read_text())
    told = []
    for made in csv2bufr.transform(pathlib.Path("sky.wmo.csv").read_text(), mapping):
        same(made["_meta"]["result"]["errors"], [], "errors of a message")
        with tempfile.TemporaryFile() as file:
            file.write(made["bufr4"])
            file.seek(0)
            message = eccodes.codes_bufr_new_from_file(file)
            eccodes.codes_set(message, "unpack", 1)
            keys = ("wigosLocalIdentifierCharacter", "minute", "cloudAmount", "cloudCoverTotal")
            told.append([eccodes.codes_get(message, key) for key in keys])
            eccodes.codes_release(message)
    nothing = eccodes.CODES_MISSING_LONG
    same(len(told), 29, "messages")
    same(told[0], ["87934", 2, 0, 33], "the first message")
    same(told[3], ["87934", 32, nothing, nothing], "a message of a slot without a reading")


for line in read:
    print(f"read: {line}")
for line in missing:
    print(f"skipped: {line}")
