//! The commands of docs/cluster.md, in its three machines' places.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::nats;
use crate::support::broker::free_port;
use crate::world::{World, until};

/// A command in the background; it ends with its value.
struct Background(Child);

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The commands of the section about workers in `document`, but for what installs and copies.
fn commands(document: &str) -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document));
    let text = text.unwrap();
    let section = text.split("\n## ").nth(1).unwrap();
    let blocks = section.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let lines: Vec<&str> = blocks.flat_map(str::lines).collect();
    assert_eq!(lines.len(), 10, "ten commands: {lines:?}");
    let ours = ["nats-server", "CELAJE_QUEUE=", "export", "celaje backfill", "celaje db"];
    let ours = lines.into_iter().filter(|line| ours.iter().any(|word| line.starts_with(word)));
    ours.map(str::to_owned).collect()
}

fn check(document: &str, db: &str) {
    if nats::program().is_none() {
        return;
    }
    let (world, port) = (World::new(1), free_port());
    let settings = format!(
        "model = 'red.onnx'\nengine = 'rten'\n[station]\nid = 'sky'\nlatitude = -53.79\n\
         longitude = -67.7\ntime_zone = '-03:00'\nlayout = 'root'\nurl_base = '{}'\n",
        world.camera.base(),
    );
    std::fs::write(world.path("celaje.toml"), settings).unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_celaje")).parent().unwrap().display();
    let shell = |line: &str| {
        let mut command = Command::new("sh");
        command.env_clear().env("HOME", world.path(".")).current_dir(world.path("."));
        command.env("PATH", format!("{programs}:/usr/sbin:/usr/bin:/usr/local/bin:/bin"));
        command.arg("-ec").arg(line).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let (mut background, mut script) = (Vec::new(), String::new());
    for line in commands(document) {
        let here = line.replace("10.0.0.1:4222", &format!("127.0.0.1:{port}"));
        let here = here.replace("-a 10.0.0.1 -p 4222", &format!("-a 127.0.0.1 -p {port}"));
        let here = here.replace("2015-01-01", "2024-03-01").replace("2024-12-31", "2024-03-01");
        match here.strip_suffix(" &") {
            None => script += &format!("{here}\n"),
            Some(here) => {
                let is_queue = here.starts_with("nats-server");
                let call = if is_queue { "exec " } else { "exec env " };
                for _ in 0..if is_queue { 1 } else { 2 } {
                    let child = shell(&format!("{call}{here}")).spawn().unwrap();
                    background.push(Background(child));
                }
                until("the queue", || TcpStream::connect(("127.0.0.1", port)).ok());
            }
        }
    }
    assert_eq!(background.len(), 3);
    let mut last = shell(&script);
    let done = last.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let told = String::from_utf8_lossy(&done.stdout);
    assert!(told.contains("total=144"), "{told}");
    assert_eq!(world.known(db).len(), 144);
}

#[test]
fn ten_commands_make_one_record_of_three_machines() {
    check("docs/cluster.md", "sky.db");
    check("docs/es/cluster.md", "cielo.db");
}
