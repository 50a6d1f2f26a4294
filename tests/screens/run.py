#!/usr/bin/env python3
"""Takes pictures of the dashboard, to be looked at by a person: each view in both themes and both
languages at four widths, and what is rare: no reading, an old one, a camera that is gone, two
stations, a night without end. By hand, not in the gate: it takes some ten minutes.

    cargo test --no-run && python3 tests/screens/run.py [FOLDER]

It needs chromium; with Pillow it puts the pictures on contact sheets, too.
"""

import datetime
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target/debug/celaje"
OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/screens")
DAYS = 3
VIEWS = ["now", "timeline?days=3", "history?span=year", "gallery", "skill", "operations"]
SIZES = [(390, 844), (1280, 720), (1440, 900), (3840, 2160)]
RIO = '[station]\nid = "rio-grande"\nlatitude = -53.79\nlongitude = -67.7\n'
RIO += 'time_zone = "America/Argentina/Ushuaia"\nurl_base = "http://127.0.0.1:9/"\n'
LENS = "[station.lens]\ncentre = [0.5, 0.5]\nradius = 0.345\nnorth = 0.0\n"
TWO = RIO.replace("[station]", "[[station]]") + RIO.replace("[station]", "[[station]]").replace(
    "rio-grande", "cerro"
)


def celaje(*arguments, **more):
    return subprocess.run([PROGRAM, *map(str, arguments)], check=True, **more)


class Camera:
    """The camera that the demo looks at."""

    def __init__(self):
        arguments = [PROGRAM, "simulate", "--port", "0", "--scene", "fisheye"]
        self.child = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        line = self.child.stdout.readline()
        self.url = line[line.index("http://"):].split()[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.terminate()
        self.child.wait()


class Served:
    """The program on a record."""

    def __init__(self, folder, record, settings):
        self.folder = folder
        (folder / "celaje.toml").write_text("keep_dir = 'kept'\n" + settings)
        arguments = ["serve", "--read-only", "--db", record, "--listen", "127.0.0.1:0"]
        self.child = subprocess.Popen(
            [PROGRAM, *arguments], cwd=folder, stdout=subprocess.PIPE, text=True
        )
        for line in self.child.stdout:
            if "http://" in line:
                self.url = line[line.index("http://"):].split()[0].rstrip("/")
                return
        raise SystemExit("the program says no address")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.terminate()
        self.child.wait()


def shot(url, name, size, dark):
    width, height = size
    scheme = 0 if dark else 1
    file = OUT / f"{name}.png"
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             f"--user-data-dir={profile}", f"--blink-settings=preferredColorScheme={scheme}",
             f"--window-size={width},{height}", "--virtual-time-budget=15000",
             f"--screenshot={file}", url],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=180,
        )
    print(file, flush=True)
    return file


def demo(folder):
    """The demo's days, as if they were the last ones."""
    celaje("demo", "--once", "--days", DAYS, "--scene", "fisheye", "--out", folder)
    record = folder / "demo.db"
    now = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=3)
    days = f"+{(now.date() - datetime.date(2024, 1, 15)).days} days"
    local = f"strftime('%Y-%m-%dT%H:%M', slot_local, '{days}')"
    statement = (
        f"UPDATE observations SET slot_local = {local}, captured_at = {local},"
        f" slot_utc = strftime('%Y-%m-%dT%H:%M:%SZ', slot_utc, '{days}'),"
        f" file_name = strftime('%Y-%m%d%H%M.jpg', slot_local, '{days}');"
        f"DELETE FROM observations WHERE slot_local > '{now:%Y-%m-%dT%H:%M}';"
    )
    return changed(record, folder / "now.db", statement)


def changed(record, copy, statement):
    """A copy of the record after a statement of SQL."""
    shutil.copy(record, copy)
    with sqlite3.connect(copy) as connection:
        connection.executescript(statement)
    connection.close()
    return copy


def sheet(name, files, width, columns):
    try:
        from PIL import Image
    except ImportError:
        return
    images = [Image.open(file).convert("RGB") for file in files]
    images = [image.resize((width, image.height * width // image.width)) for image in images]
    rows = [images[at:at + columns] for at in range(0, len(images), columns)]
    tall = sum(max(image.height for image in row) + 6 for row in rows)
    whole, y = Image.new("RGB", (columns * (width + 6), tall), (255, 0, 255)), 0
    for row in rows:
        for n, image in enumerate(row):
            whole.paste(image, (n * (width + 6), y))
        y += max(image.height for image in row) + 6
    whole.save(OUT / f"sheet-{name}.png")


def ordinary(folder, record):
    with Camera() as camera, Served(
        folder, record, RIO.replace("http://127.0.0.1:9/", camera.url) + LENS
    ) as served:
        for size in SIZES:
            files = []
            for dark in (False, True):
                for n, view in enumerate(VIEWS):
                    lang = ("es", "en")[(n + dark) % 2]
                    name = f"{size[0]}-{view.split('?')[0]}-{lang}-{'dark' if dark else 'light'}"
                    url = f"{served.url}/?lang={lang}#/{view}"
                    files.append(shot(url, name, size, dark))
            sheet(size[0], files, 300 if size[0] < 500 else 760, 6 if size[0] < 500 else 3)
        api = [shot(f"{served.url}/api/?lang=es", "1280-api-es-light", SIZES[1], False)]
        api.append(shot(f"{served.url}/api/?lang=en", "390-api-en-dark", SIZES[0], True))
        sheet("api", api, 600, 2)


def rare(folder, record):
    last = "(SELECT max(slot_local) FROM observations)"
    ago = f"strftime('%Y-%m-%dT%H:%M', {last}, '-5 hours')"
    gone = (
        f"CREATE TEMP TABLE late AS SELECT * FROM observations WHERE slot_local > {ago};"
        "DELETE FROM observations WHERE slot_local IN (SELECT slot_local FROM late);"
        "INSERT INTO misses (station, slot_local, slot_utc, reason, attempts, detail, last_tried,"
        " source, layout) SELECT station, slot_local, slot_utc, 'unreachable', 3, '', slot_utc,"
        " 'http://127.0.0.1:9/', 'year' FROM late;"
    )
    second = (
        "INSERT INTO stations SELECT 'cerro', 'Cerro Ñandú', latitude, longitude, time_zone, 0"
        " FROM stations;"
    )
    # The pole that has its winter.
    latitude = 78.22 if datetime.date.today().month in (10, 11, 12, 1, 2, 3) else -78.22
    polar = RIO.replace("-53.79", str(latitude)).replace("-67.7", "15.65")
    scenes = {
        "empty": ("DELETE FROM observations; DELETE FROM runs;", RIO),
        "stale": (f"DELETE FROM observations WHERE slot_local > {ago};", RIO),
        "dead-camera": (gone, RIO),
        "two-stations": (second, TWO),
        "polar-night": (f"UPDATE stations SET latitude = {latitude}, longitude = 15.65;", polar),
    }
    files = []
    for name, (statement, settings) in scenes.items():
        home = folder / name
        home.mkdir()
        copy = changed(record, home / "record.db", statement)
        with Served(home, copy, settings) as served:
            for size, lang, dark in (((1280, 720), "es", False), ((390, 844), "en", True)):
                url = f"{served.url}/?lang={lang}#/now"
                files.append(shot(url, f"{name}-{size[0]}-{lang}", size, dark))
    sheet("rare", files[::2], 760, 3)
    sheet("rare-phone", files[1::2], 300, 5)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        record = demo(folder)
        ordinary(folder, record)
        rare(folder, record)


if __name__ == "__main__":
    main()
