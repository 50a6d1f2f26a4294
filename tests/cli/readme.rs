//! The commands that the README gives to who comes from the replaced system, as they stand there.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::support::server::{Reply, Server};
use crate::{Home, picture, program};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The lines of the section's first block of commands.
fn lines(document: &str, heading: &str) -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document));
    let text = text.unwrap();
    let section = text.split(heading).nth(1).unwrap_or_else(|| panic!("{document}: {heading}"));
    let block = section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    block.lines().map(str::to_owned).collect()
}

/// Both forms of the old file, each with two rows of October 27 and one that names no slot.
const FORMS: [&str; 2] = [
    "CREATE TABLE registro_historico (filename TEXT PRIMARY KEY, url_imagen TEXT NOT NULL, \
         fecha_captura DATETIME NOT NULL, octas_predichas INTEGER NOT NULL, \
         confianza REAL NOT NULL, categoria TEXT NOT NULL, descripcion TEXT, \
         modelo_version TEXT, created_at DATETIME NOT NULL);
     CREATE INDEX ix_historial_fecha ON registro_historico (fecha_captura);
     INSERT INTO registro_historico VALUES
         ('2025-10271342.jpg', 'http://h/2025-10271342.jpg', '2025-10-27T13:42', 6, 0.9123, 'BKN',
          'Muy nublado', 'v1', '2025-10-27T13:45:12-03:00'),
         ('2025-10271352.jpg', 'http://h/2025-10271352.jpg', '2025-10-27T13:52', 2, 0.8, 'FEW',
          'Pocas nubes', 'v1', '2025-10-27T13:55:12-03:00'),
         ('prueba.jpg', 'file:///fotos/prueba.jpg', '2025-10-27T14:00', 4, 0.5, 'SCT', NULL, NULL,
          '2025-10-27T14:00:00-03:00');",
    "CREATE TABLE registro_historico (fecha_hora_prediccion TEXT PRIMARY KEY, \
         octas_predichas INTEGER, confianza REAL, categoria TEXT, descripcion TEXT, \
         url_imagen TEXT);
     CREATE UNIQUE INDEX ux_registro_historico_fecha
         ON registro_historico (fecha_hora_prediccion);
     INSERT INTO registro_historico VALUES
         ('2025-10-27T13:45:12', 6, 0.9123, 'BKN', 'Muy nublado', 'http://h/2025-10271342.jpg'),
         ('2025-10-27T13:55:12', 2, 0.8, 'FEW', 'Pocas nubes', 'http://h/2025-10271352.jpg'),
         ('2025-10-27T14:00:00', 4, 0.5, 'SCT', NULL, 'http://h/latest.jpg');",
];

/// A camera with a picture of 2025-10-27T14:12 and, once, the newest one.
fn camera() -> Server {
    let told = AtomicBool::new(false);
    Server::start(move |path, _| match path.rsplit('/').next() {
        Some("2025-10271412.jpg") => Reply::Body(picture(3)),
        Some(name) if !name.starts_with("2025-10") && !told.swap(true, Ordering::Relaxed) => {
            Reply::Body(picture(1))
        }
        _ => Reply::not_found(),
    })
}

/// A line of a shell in the old system's folder, with ports of this test.
fn shell(home: &Home, server: &Server, line: &str) -> Command {
    let line = match line.strip_suffix(" --compat") {
        Some(line) => format!("exec {line} --listen 127.0.0.1:0 --compat 127.0.0.1:0"),
        None => line.to_owned(),
    };
    let mut command = Command::new("/bin/sh");
    let folder = program().parent().unwrap();
    command
        .args(["-c", &line])
        .env_clear()
        .env("PATH", folder)
        .env("HOME", home.path("."))
        .env("LANG", "C")
        .env("IMG_URL_BASE", server.base())
        .env("CELAJE_ENGINE", "rten")
        .env("CELAJE_MODEL", "red.onnx")
        .env("CELAJE_THREADS", "1")
        .current_dir(home.path("."));
    command
}

/// Killed when dropped.
pub(crate) struct Serving(pub(crate) Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The address and port that a server says first.
pub(crate) fn address_told(serving: &mut Serving) -> String {
    let mut said = BufReader::new(serving.0.stdout.take().unwrap()).lines();
    let line = said.next().unwrap().unwrap();
    // What else it says is read, so that it never waits for this.
    std::thread::spawn(move || said.for_each(drop));
    line.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned()
}

/// Status, head and body of the answer to a page of another origin.
fn ask(address: &str, path: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.0\r\nHost: {address}\r\nOrigin: http://tablero.example:5173\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(
        head.contains("access-control-allow-origin: http://tablero.example:5173"),
        "{path}: {head}"
    );
    (status, head.to_owned(), body.to_owned())
}

/// The lines in their order, on a file of each form, then what the old front end asks.
#[test]
fn the_three_lines_take_an_old_installation_over() {
    let heading = "## Coming from the replaced system";
    let [doctor, backfill, serve] = &lines("README.md", heading)[..] else {
        panic!("three lines are three")
    };
    let spanish = lines("README.es.md", "## Viniendo del sistema anterior");
    assert_eq!(spanish, [doctor.as_str(), backfill, serve]);
    for form in FORMS {
        let (home, server) = (Home::new(), camera());
        std::fs::create_dir(home.path("data")).unwrap();
        home.record("data/registros-octas.db").execute(form);

        let told = shell(&home, &server, doctor).output().unwrap();
        let out = String::from_utf8_lossy(&told.stdout);
        assert!(told.status.success(), "{told:?}");
        assert!(out.contains("is the replaced system's, with 3 rows"), "{out}");
        let told = shell(&home, &server, backfill).output().unwrap();
        let out = String::from_utf8_lossy(&told.stdout);
        assert!(told.status.success(), "{told:?}");
        assert!(out.contains("total=288 | nuevos=1 | duplicados=2 | fallidos=285"), "{out}");
        assert!(home.has("data/registros-octas.db.before-celaje.bak"));

        let mut serving = shell(&home, &server, serve);
        let mut serving =
            Serving(serving.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
        let mut said = BufReader::new(serving.0.stdout.take().unwrap()).lines();
        let mut address = || {
            let line = said.next().unwrap().unwrap();
            line.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned()
        };
        let (_, compat) = (address(), address());

        // What was there and what the backfill read, in the order of time; then a day without rows.
        let (status, _, body) = ask(&compat, "/historial?desde=2025-10-27&hasta=2025-10-27");
        let history: Value = serde_json::from_str(&body).unwrap();
        let items = history["items"].as_array().unwrap();
        let seen: Vec<_> = items.iter().map(|row| row["fecha_captura"].as_str().unwrap()).collect();
        assert_eq!(status, 200);
        let expected = ["13:42", "13:52", "14:00", "14:12"].map(|at| format!("2025-10-27T{at}"));
        assert_eq!(seen, expected);
        assert_eq!(items[0]["octas_predichas"], 6);
        assert_eq!(items[0]["confianza"], 0.9123);
        assert_eq!(items[0]["created_at"], "2025-10-27T13:45:12-03:00");
        assert_eq!(items[0]["filename"], "2025-10271342.jpg");
        let (status, _, body) = ask(&compat, "/historial?desde=2001-01-01&hasta=2001-01-01");
        let none: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, none["items"].as_array().map(Vec::len)), (200, Some(0)));
        // Its first request, and what it puts on the page.
        let (_, _, body) = ask(&compat, "/historial");
        let all: Value = serde_json::from_str(&body).unwrap();
        assert!(all["items"].as_array().unwrap().len() >= 4, "{all}");
        let (status, _, body) = ask(&compat, "/octas");
        let last: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(status, 200);
        assert!(last["fecha_captura"].as_str().unwrap() >= "2025-10-27T14:12", "{last}");
        assert!(last["octas_predichas"].is_u64(), "{last}");
        let (status, head, _) = ask(&compat, "/imagen?ts=1");
        assert_eq!(status, 307, "{head}");
        assert!(head.contains(&format!("location: {}", server.base())), "{head}");
    }
}
