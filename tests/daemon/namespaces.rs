//! Alpaca's discovery and its devices over a network: the program in one network namespace, alpyca
//! in another.

use super::*;

/// Two namespaces with a link between them; they go with their value.
struct Network {
    server: String,
    client: String,
}

const SERVER: &str = "10.213.7.1";

impl Network {
    /// None where this user may make none, or there is no `ip`; that is said.
    fn new() -> Option<Self> {
        let id = std::process::id();
        let network = Self { server: format!("celaje-s{id}"), client: format!("celaje-c{id}") };
        let Self { server, client } = &network;
        let made = ip(&format!("netns add {server}"))
            && ip(&format!("netns add {client}"))
            && ip(&format!(
                "link add ce{id}s netns {server} type veth peer name ce{id}c netns {client}"
            ))
            && ip(&format!("-n {server} addr add {SERVER}/24 brd + dev ce{id}s"))
            && ip(&format!("-n {client} addr add 10.213.7.2/24 brd + dev ce{id}c"))
            && [(server, 's'), (client, 'c')].into_iter().all(|(space, end)| {
                ip(&format!("-n {space} link set lo up"))
                    && ip(&format!("-n {space} link set ce{id}{end} up"))
            });
        if !made {
            skipped("no network namespaces can be made here");
            return None;
        }
        Some(network)
    }

    /// A command inside a namespace.
    fn inside(space: &str, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", space]).arg(command.get_program()).args(command.get_args());
        inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        inside.current_dir(command.get_current_dir().unwrap_or(Path::new(".")));
        inside
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        ip(&format!("netns del {}", self.server));
        ip(&format!("netns del {}", self.client));
    }
}

fn ip(arguments: &str) -> bool {
    let ran = Command::new("ip").args(arguments.split(' ')).output();
    ran.is_ok_and(|output| output.status.success())
}

fn skipped(why: &str) {
    // Not `eprintln!`: the harness keeps that back.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

const CLIENT: &str = r#"
import sys
from alpaca import discovery, management
from alpaca.safetymonitor import SafetyMonitor
from alpaca.exceptions import NotConnectedException
address = sys.argv[1]
for attempt in range(20):
    found = discovery.search_ipv4(numquery=1, timeout=1)
    if found:
        break
assert found == [address], found
types = [device["DeviceType"] for device in management.configureddevices(address)]
assert types == ["SafetyMonitor", "ObservingConditions"], types
monitor = SafetyMonitor(address, 0)
try:
    monitor.IsSafe
    raise SystemExit("answered without a connection")
except NotConnectedException:
    pass
monitor.Connected = True
# The record is of long ago.
assert monitor.IsSafe is False
print("found", found)
"#;

#[test]
fn alpyca_finds_the_devices_from_another_network_namespace() {
    let has = Command::new("python3").args(["-c", "import alpaca.safetymonitor"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        return skipped("python3 has no alpyca");
    }
    let Some(network) = Network::new() else { return };
    let home = Home::new();
    let server = camera(|_, _| None);
    let filled = home
        .celaje()
        .args(["backfill", "--desde", "2024-03-01T11:30", "--hasta", "2024-03-01T11:45"])
        .args(["--url-base", &server.base(), "--model", "red.onnx"])
        .args(["--db", "cielo.db", "--engine", "rten", "--threads", "1"])
        .output()
        .unwrap();
    assert!(filled.status.success(), "{filled:?}");
    // At all addresses, and at one alone: then the answer must come from that one.
    for listens in ["0.0.0.0:11111", "10.213.7.1:11112"] {
        let serve = home.serve(&["--read-only", "--alpaca", listens]);
        let _running = Running::start(&mut Network::inside(&network.server, &serve));
        let port = listens.rsplit(':').next().unwrap();
        let mut client = Command::new("python3");
        client.args(["-c", CLIENT, &format!("{SERVER}:{port}")]);
        let asked = Network::inside(&network.client, &client).output().unwrap();
        let told = String::from_utf8_lossy(&asked.stderr);
        assert!(asked.status.success(), "{listens}: {told}");
    } // Devices that only this machine reaches are told to no other.
    let serve = home.serve(&["--read-only", "--alpaca", "127.0.0.1:11113"]);
    let _running = Running::start(&mut Network::inside(&network.server, &serve));
    let mut client = Command::new("python3");
    let search = "from alpaca import discovery\n\
                  print(discovery.search_ipv4(numquery=2, timeout=1))";
    client.args(["-c", search]);
    for (space, found) in [(&network.client, "[]"), (&network.server, "['127.0.0.1:11113']")] {
        let asked = Network::inside(space, &client).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&asked.stdout).trim(), found, "{asked:?}");
    }
}
