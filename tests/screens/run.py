#!/usr/bin/env python3
"""Takes pictures of the dashboard, to be looked at by a person: each view in both themes and both
languages at four widths, whole, and what is rare: no reading, an old one, a camera that is gone,
two stations, a night without end. By hand, not in the gate: it takes some ten minutes.

    cargo test --no-run && python3 tests/screens/run.py [FOLDER]

It needs chromium and chromedriver; with Pillow it puts the pictures on contact sheets, too.
CELAJE_SCREENS, words with blanks between, takes those whose names have one of them.
"""

import base64
import datetime
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("CELAJE", ROOT / "target/debug/celaje"))
OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/screens")
WANTED = os.environ.get("CELAJE_SCREENS", "").split()
DAYS = 3
VIEWS = ["now", "timeline?days=3", "history?span=year", "gallery", "skill", "label", "operations"]
MORE = {"timeline-raster": "timeline?days=30&form=raster", "history-month": "history?span=month"}
SIZES = [(390, 844), (1280, 720), (1440, 900), (3840, 2160)]
PATIENCE = 60
# What holds when a view is shown whole, as tests/browser/driver.rs has it.
WHOLE = """return !!(document.querySelector('main[data-view] h1, main .state, details')
    && !document.querySelector('.wait, .canvas.old, [data-waiting]:not([data-waiting="0"])')
    && [...document.querySelectorAll('.canvas')].every(c => c.firstElementChild)
    && [...document.images].every(i => i.complete || i.loading === 'lazy'))"""
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


class Browser:
    """Chromium, driven by the WebDriver protocol."""

    def __init__(self):
        arguments = ["chromedriver", "--port=0"]
        self.child = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        for line in self.child.stdout:
            if "successfully on port" in line:
                self.url = f"http://127.0.0.1:{line.split()[-1].rstrip('.')}/session"
                break
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-proxy-server"]
        options = {"goog:chromeOptions": {"args": flags}}
        self.url += "/" + self.post("", {"capabilities": {"alwaysMatch": options}})["sessionId"]

    def post(self, path, body):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return json.load(opener.open(request, timeout=180))["value"]

    def command(self, name, **values):
        return self.post("/goog/cdp/execute", {"cmd": name, "params": values})

    def run(self, script):
        return self.post("/execute/sync", {"script": script, "args": []})

    def shot(self, url, name, size, dark):
        """The whole page; at least the window, and no more than five of them."""
        if WANTED and not any(word in name for word in WANTED):
            return None
        width, height = size
        scheme = "dark" if dark else "light"
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.command("Emulation.setEmulatedMedia", features=features)
        screen = {"width": width, "deviceScaleFactor": 1, "mobile": width < 600}
        self.command("Emulation.setDeviceMetricsOverride", height=height, **screen)
        self.post("/url", {"url": "about:blank"})
        self.post("/url", {"url": url})
        begin = time.monotonic()
        while not self.run(WHOLE) and time.monotonic() < begin + PATIENCE:
            time.sleep(0.2)
        wide = self.run("return document.documentElement.scrollWidth")
        tall = self.run("return document.documentElement.scrollHeight")
        tall = min(max(tall, height), 5 * height if width > 600 else 7000)
        if wide > width:
            print(f"{name} is {wide} wide")
        clip = {"x": 0, "y": 0, "width": width, "height": tall, "scale": 1}
        answer = self.command("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        file = OUT / f"{name}.png"
        file.write_bytes(base64.b64decode(answer["data"]))
        print(file, flush=True)
        return file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        urllib.request.urlopen(urllib.request.Request(self.url, method="DELETE"), timeout=60)
        self.child.terminate()
        self.child.wait()


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
    files = [file for file in files if file]
    if not files:
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


def ordinary(folder, record, browser):
    views = {view.split("?")[0]: view for view in VIEWS} | MORE
    with Camera() as camera, Served(
        folder, record, RIO.replace("http://127.0.0.1:9/", camera.url) + LENS
    ) as served:
        for size in SIZES:
            for dark in (False, True):
                files = []
                for lang in ("es", "en"):
                    for view, path in views.items():
                        name = f"{size[0]}-{view}-{lang}-{'dark' if dark else 'light'}"
                        url = f"{served.url}/?lang={lang}#/{path}"
                        files.append(browser.shot(url, name, size, dark))
                name = f"{size[0]}-{'dark' if dark else 'light'}"
                sheet(name, files, 300 if size[0] < 500 else 760, len(views))
        api = [
            browser.shot(f"{served.url}/api/?lang={lang}", f"{size[0]}-api-{lang}-{dark}", size, dark)
            for size in SIZES[:2] for lang in ("es", "en") for dark in (False, True)
        ]
        sheet("api", api, 500, 4)


def rare(folder, record, browser):
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
            for size in SIZES:
                for lang, dark in (("es", False), ("en", True)):
                    for view in VIEWS if name == "empty" else ("now", "operations", "gallery"):
                        view = view.split("?")[0]
                        url = f"{served.url}/?lang={lang}#/{view}"
                        file = f"{name}-{size[0]}-{view}-{lang}"
                        files.append(browser.shot(url, file, size, dark))
        sheet(name, files, 500, len(files) // len(SIZES) // 2)
        files.clear()


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        record = demo(folder)
        with Browser() as browser:
            ordinary(folder, record, browser)
            rare(folder, record, browser)


if __name__ == "__main__":
    main()
