//! nats-server on loopback: one node, or a cluster of three.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::broker::free_port;

/// Says so where there is none.
pub fn program() -> Option<&'static str> {
    let places = ["/usr/sbin/nats-server", "/usr/bin/nats-server", "/usr/local/bin/nats-server"];
    let found = places.into_iter().find(|place| Path::new(place).exists());
    if found.is_none() {
        let _ = writeln!(std::io::stderr(), "skipped: there is no nats-server");
    }
    found
}

/// Nodes of one cluster; they end with their value.
pub struct Nats {
    nodes: Vec<Node>,
}

struct Node {
    arguments: Vec<String>,
    port: u16,
    log: PathBuf,
    child: Option<Child>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Node {
    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn start(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(&self.log).unwrap();
        let child = Command::new(program().unwrap())
            .args(&self.arguments)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.child = Some(child.unwrap());
    }

    fn wait(&self) {
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(60), "nats-server does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Nats {
    /// Starts `n` nodes that keep what they have below `folder`.
    pub fn start(folder: &Path, n: usize, more: &[&str]) -> Self {
        Self::start_some(folder, n, n, more)
    }

    /// The same, of which the first ones are `started`.
    pub fn start_some(folder: &Path, n: usize, started: usize, more: &[&str]) -> Self {
        let routes: Vec<u16> = (0..n).map(|_| free_port()).collect();
        let all: Vec<String> =
            routes.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        let nodes = (0..n).map(|i| {
            let port = free_port();
            let keeps = folder.join(format!("node{i}"));
            let text = |text: &str| text.to_owned();
            let mut arguments = vec![text("-a"), text("127.0.0.1"), text("-p"), port.to_string()];
            arguments.extend([text("-js"), text("-sd"), keeps.display().to_string()]);
            arguments.extend([text("-n"), format!("node{i}")]);
            if n > 1 {
                arguments.extend([text("-cluster_name"), text("sky"), text("-cluster")]);
                arguments.extend([all[i].clone(), text("-routes"), all.join(",")]);
            }
            arguments.extend(more.iter().map(|one| text(one)));
            let log = folder.join(format!("node{i}.log"));
            Node { arguments, port, log, child: None }
        });
        let mut nats = Self { nodes: nodes.collect() };
        (0..n.min(started)).for_each(|node| nats.begin(node));
        nats
    }

    /// What to give to `--queue`.
    pub fn url(&self) -> String {
        let all: Vec<_> =
            self.nodes.iter().map(|node| format!("nats://127.0.0.1:{}", node.port)).collect();
        all.join(",")
    }

    pub fn size(&self) -> usize {
        self.nodes.len()
    }

    /// Sends a signal to all nodes but the last one; to the one of one.
    pub fn signal(&self, name: &str) {
        for node in self.nodes.iter().take((self.nodes.len() - 1).max(1)) {
            let id = node.child.as_ref().unwrap().id().to_string();
            Command::new("kill").args([name, &id]).status().unwrap();
        }
    }

    /// SIGKILL, and another start with what it has kept.
    pub fn crash(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        node.kill();
        node.start();
        node.wait();
    }

    /// SIGKILL.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].kill();
    }

    /// Starts a node.
    pub fn begin(&mut self, node: usize) {
        self.nodes[node].start();
        self.nodes[node].wait();
    }

    /// Deletes both streams with all that lies in them.
    pub fn lose_all(&self) {
        self.ask(async |context| {
            for stream in ["CELAJE_JOBS", "CELAJE_OUTCOMES"] {
                let _ = context.delete_stream(stream).await;
            }
        });
    }

    /// Whether jobs lie in the queue.
    pub fn has_jobs(&self) -> bool {
        self.ask(async |context| match context.get_stream("CELAJE_JOBS").await {
            Ok(stream) => stream.cached_info().state.messages > 0,
            Err(_) => false,
        })
    }

    pub fn ask<T>(&self, question: impl AsyncFnOnce(async_nats::jetstream::Context) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = async_nats::connect(format!("nats://127.0.0.1:{}", self.nodes[0].port));
            question(async_nats::jetstream::new(client.await.unwrap())).await
        })
    }
}
