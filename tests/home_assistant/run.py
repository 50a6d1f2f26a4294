#!/usr/bin/env python3
"""Celaje as a device of a real Home Assistant: eight entities with the right states, which survive
a restart of Home Assistant, of the broker and of Celaje; a camera that dies makes them unsafe.

    CELAJE_TEST_HOME_ASSISTANT=target/home-assistant cargo test --test daemon home_assistant

Needs mosquitto and Python 3.13, into whose virtual environment (--venv) it installs Home Assistant
the first time: about ten minutes and 1 GB. Where one of them is missing it says so and ends with 0.
All runs on loopback.
"""

import argparse
import datetime
import http.client
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
VERSION = "2025.4.4"
# A reading older than this is none.
STALE = 90
ENTITIES = {
    "sensor": {"cloud", "okta", "category", "slot", "confidence"},
    "binary_sensor": {"unsafe", "problem"},
    "image": {"picture"},
}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# Home Assistant's own.
PORT = free_port()
CLIENT = f"http://127.0.0.1:{PORT}/"


def until(what, holds, patience=300):
    """Waits until `holds` gives something true, and gives that."""
    end = time.monotonic() + patience
    last = None
    while time.monotonic() < end:
        try:
            got = holds()
            if got:
                return got
        except (OSError, urllib.error.URLError, http.client.HTTPException, ValueError) as error:
            last = error
        time.sleep(0.5)
    raise SystemExit(f"never: {what} ({last})")


def ask(url, body=None, token=None, form=False):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = None
    if body is not None:
        data = (urllib.parse.urlencode(body) if form else json.dumps(body)).encode()
        headers["Content-Type"] = "application/x-www-form-urlencoded" if form else "application/json"
    request = urllib.request.Request(url, data, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read()
    return json.loads(text) if text else None


class Processes:
    """Programs that end with the script."""

    def __init__(self, folder):
        self.folder, self.running = folder, {}

    def start(self, name, command, **more):
        log = open(self.folder / f"{name}.log", "ab")
        self.running[name] = subprocess.Popen(command, stdout=log, stderr=log, **more)

    def kill(self, name, how=signal.SIGKILL):
        process = self.running.pop(name)
        process.send_signal(how)
        process.wait(120)

    def end(self):
        for name in list(self.running):
            self.kill(name)


def is_313(python):
    try:
        asked = [python, "-c", "import sys; print(sys.version_info[:2])"]
        return subprocess.run(asked, capture_output=True, text=True).stdout.strip() == "(3, 13)"
    except OSError:
        return False


def home_assistant(venv):
    """Its program, installed where it is missing; none where it can't be."""
    program = venv / "bin" / "hass"
    if program.exists():
        return program
    pyenv = pathlib.Path.home().glob(".pyenv/versions/3.13*/bin/python3")
    python = next(filter(is_313, ["python3.13", "python3", *map(str, pyenv)]), None)
    if python is None:
        return None
    subprocess.run([python, "-m", "venv", venv], check=True)
    subprocess.run([venv / "bin" / "pip", "install", "-q", "uv"], check=True)
    # pip itself takes an hour to agree on the versions.
    uv = [venv / "bin" / "uv", "pip", "install", "-q", "--python", venv / "bin" / "python"]
    subprocess.run([*uv, f"homeassistant=={VERSION}", "paho-mqtt==2.1.0"], check=True)
    return program


def camera(celaje, folder):
    """The address of a picture that is another one each time it is asked for, until it is dead."""
    port = free_port()
    drawing = subprocess.Popen(
        [celaje, "simulate", "--port", str(port), "--station", "rio-grande"],
        cwd=folder, stdout=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}/2024/2024-03011202.jpg"

    def drawn():
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.read()

    picture = until("the drawn picture", drawn)
    drawing.kill()
    drawing.wait()

    dead = threading.Event()

    class Camera(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if dead.is_set():
                return
            comment = f"{time.time_ns():020}".encode()
            bytes_ = picture[:2] + b"\xff\xfe\x00\x16" + comment + picture[2:]
            self.send_response(200)
            self.send_header("Content-Type", "image/jpeg")
            self.send_header("Content-Length", str(len(bytes_)))
            self.end_headers()
            self.wfile.write(bytes_)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/latest.jpg", dead


def onboard(broker):
    """Makes the first user and the entry of the broker; gives a token."""
    user = {"client_id": CLIENT, "name": "a", "username": "a", "password": "only-for-a-test",
            "language": "en"}
    code = ask(f"{CLIENT}api/onboarding/users", user)["auth_code"]
    form = {"grant_type": "authorization_code", "code": code, "client_id": CLIENT}
    tokens = ask(f"{CLIENT}auth/token", form, form=True)
    token = tokens["access_token"]
    for step in ("core_config", "analytics"):
        ask(f"{CLIENT}api/onboarding/{step}", {}, token)
    flow = ask(f"{CLIENT}api/config/config_entries/flow", {"handler": "mqtt"}, token)
    entry = {"broker": "127.0.0.1", "port": broker}
    done = ask(f"{CLIENT}api/config/config_entries/flow/{flow['flow_id']}", entry, token)
    assert done["type"] == "create_entry", done
    return tokens["refresh_token"]


def entities(token):
    """Celaje's entities, by the ends of their unique ids, as the template engine knows them."""
    template = (
        "{% set ns = namespace(all=[]) %}{% for e in integration_entities('mqtt') %}"
        "{% set ns.all = ns.all + [{'id': e, 'state': states(e), 'name': state_attr(e, "
        "'friendly_name'), 'class': state_attr(e, 'device_class'), 'unit': state_attr(e, "
        "'unit_of_measurement')}] %}{% endfor %}{{ ns.all | to_json }}"
    )
    return ask(f"{CLIENT}api/template", {"template": template}, token)


def shown(token):
    all_ = {}
    names = {"Cloud cover": "cloud", "Cloud amount": "okta", "Sky": "category",
             "Picture taken": "slot", "Confidence": "confidence", "Observing": "unsafe",
             "Camera": "problem", "Last picture": "picture"}
    for entity in entities(token):
        kind = entity["id"].split(".")[0]
        name = next((key for end, key in names.items() if entity["name"].endswith(end)), None)
        assert name in ENTITIES[kind], entity
        all_[name] = entity["state"]
    return all_


def agree(token, page, unavailable=False):
    """Whether Home Assistant shows what Celaje says; the states then."""
    states = shown(token)
    if len(states) != 8:
        return None
    if unavailable:
        return states if all(state == "unavailable" for state in states.values()) else None
    safety = ask(f"{page}api/v1/stations/gate/safety")
    latest = ask(f"{page}api/v1/stations/gate/latest")
    latest = latest.get("observation", latest)
    instant = safety["reading_at"].replace("Z", "+00:00")
    right = (
        states["okta"] == str(latest["okta"])
        and abs(float(states["cloud"]) - 100 * latest["cloud_fraction"]) < 0.051
        and states["category"] == latest["category"]
        and states["slot"] == instant
        and abs(float(states["confidence"]) - 100 * latest["confidence"]) <= 0.51
        and states["unsafe"] == ("off" if safety["safe"] else "on")
        and states["problem"] == "off"
        and states["picture"] not in ("unknown", "unavailable")
    )
    return states if right else None


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--venv", type=pathlib.Path, default=ROOT / "target" / "home-assistant")
    arguments.add_argument("--celaje", type=pathlib.Path, default=ROOT / "target/debug/celaje")
    options = arguments.parse_args()
    options.venv, options.celaje = options.venv.absolute(), options.celaje.absolute()
    if not options.celaje.exists():
        raise SystemExit(f"there is no {options.celaje}; run `cargo build` first")
    mosquitto = next(filter(os.path.exists, ["/usr/sbin/mosquitto", "/usr/bin/mosquitto"]), None)
    if mosquitto is None:
        return print("skipped: there is no mosquitto")
    hass = home_assistant(options.venv)
    if hass is None:
        return print("skipped: there is no Python 3.13")

    folder = pathlib.Path(tempfile.mkdtemp(prefix="celaje-ha-"))
    run, (broker, port) = Processes(folder), (free_port(), free_port())
    ours = {name: value for name, value in os.environ.items() if not name.startswith("CELAJE_")}
    environment = {**ours, "HOME": str(folder), "LANG": "C"}
    (folder / "mosquitto.conf").write_text(
        f"listener {broker} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    (folder / "ha").mkdir()
    (folder / "ha" / "configuration.yaml").write_text(
        f"homeassistant:\nhttp:\n  server_host: 127.0.0.1\n  server_port: {PORT}\n"
        "api:\nconfig:\nonboarding:\nlogger:\n  default: warning\n")
    page = f"http://127.0.0.1:{port}/"
    pictures, dead = camera(options.celaje, folder)
    (folder / "celaje.toml").write_text(
        f"[mqtt]\nurl = 'mqtt://127.0.0.1:{broker}'\npicture = 'mqtt'\n"
        "[station]\nid = 'gate'\nlatitude = -53.79\nlongitude = -67.7\ntime_zone = '-03:00'\n"
        f"[station.source]\nkind = 'latest'\nurl = '{pictures}'\n"
        "every = '30s'\ntime_from = 'fetch'\n"
        "[station.safety]\nwhen = 'always'\nsafe_below = 8\nunsafe_above = 8\nmin_confidence = 0\n"
        f"safe_after = '30s'\nstale_after = '{STALE}s'\n")

    def start(name):
        if name == "mosquitto":
            run.start(name, [mosquitto, "-c", folder / "mosquitto.conf"])
        elif name == "celaje":
            command = [options.celaje, "serve", "--listen", f"127.0.0.1:{port}", "--engine", "rten"]
            run.start(name, command, cwd=folder, env=environment)
        else:
            path = f"{hass.parent}:{environment['PATH']}"
            more = {**environment, "PATH": path, "VIRTUAL_ENV": str(options.venv)}
            run.start(name, [hass, "-c", folder / "ha"], env=more)

    try:
        for name in ("mosquitto", "celaje", "hass"):
            start(name)
        until("Home Assistant answers", lambda: ask(f"{CLIENT}api/onboarding"), 900)
        refresh = onboard(broker)

        def token():
            form = {"grant_type": "refresh_token", "refresh_token": refresh, "client_id": CLIENT}
            return ask(f"{CLIENT}auth/token", form, form=True)["access_token"]

        began = time.monotonic()
        states = until("eight entities with the right states", lambda: agree(token(), page))
        print(f"eight entities after {time.monotonic() - began:.0f} s: {states}", flush=True)
        until("safe", lambda: agree(token(), page) and shown(token())["unsafe"] == "off")
        print("safe: 'Observing' is off", flush=True)
        for name in ("hass", "mosquitto", "celaje"):
            # Home Assistant writes its users when it ends well.
            run.kill(name, signal.SIGTERM if name == "hass" else signal.SIGKILL)
            if name != "hass":
                until(f"all are unavailable without {name}",
                      lambda: agree(token(), page, unavailable=True))
            start(name)
            began = time.monotonic()
            until(f"the right states after a restart of {name}", lambda: agree(token(), page), 600)
            print(f"right again {time.monotonic() - began:.0f} s after a restart of {name}",
                  flush=True)
        until("safe again", lambda: agree(token(), page) and shown(token())["unsafe"] == "off")
        dead.set()

        def is_unsafe():
            states = shown(token())
            assert "unavailable" not in (states["unsafe"], states["problem"]), states
            return states["unsafe"] == states["problem"] == "on"

        until("a dead camera makes it unsafe", is_unsafe)
        taken = ask(f"{page}api/v1/stations/gate/safety")["reading_at"].replace("Z", "+00:00")
        age = time.time() - datetime.datetime.fromisoformat(taken).timestamp()
        print(f"unsafe {age:.0f} s after the last picture of a camera that died", flush=True)
        assert age <= STALE + 20, age
        print("1 passed, 0 failed")
    except BaseException:
        for log in sorted(folder.glob("*.log")):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}", file=sys.stderr)
        raise
    finally:
        run.end()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
