//! Alpaca's discovery: clients ask the whole network by UDP, and are told the port.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

/// How a question begins; a version follows.
const PROBE: &[u8] = b"alpacadiscovery";
/// Most bytes of a question.
const LONGEST: usize = 64;

/// Answers on `port` of all addresses for devices at `api`, until `end`. A port that cannot be had
/// is logged: whoever knows the address needs no discovery.
pub(in crate::web) fn answer(api: SocketAddr, port: u16, end: CancellationToken) {
    match open(api.ip(), port) {
        Ok((hears, speaks)) => {
            let loopback = api.ip().is_loopback();
            tokio::spawn(async move {
                let speaks = speaks.as_ref();
                tokio::select! {
                    () = end.cancelled() => {}
                    () = listen(&hears, speaks.unwrap_or(&hears), api.port(), loopback) => {}
                    () = listen_also(speaks, api.port(), loopback) => {}
                }
            });
        }
        Err(error) => tracing::warn!(
            %error,
            port,
            "UDP port of Alpaca's discovery cannot be opened: clients must be given the address, \
             or choose another port with --alpaca-discovery"
        ),
    }
}

/// The socket that hears all questions, and the one that answers where the devices are at one
/// address alone: an answer's sender is what a client connects to.
fn open(api: IpAddr, port: u16) -> std::io::Result<(UdpSocket, Option<UdpSocket>)> {
    let hears = bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port))?;
    let speaks = match api {
        IpAddr::V4(ip) if !ip.is_unspecified() => Some(bind(SocketAddr::new(api, port))?),
        _ => None,
    };
    Ok((hears, speaks))
}

fn bind(at: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    // Other devices on this machine listen, too.
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    UdpSocket::from_std(socket.into())
}

async fn listen_also(socket: Option<&UdpSocket>, port: u16, loopback: bool) {
    match socket {
        Some(socket) => listen(socket, socket, port, loopback).await,
        None => std::future::pending().await,
    }
}

/// Answers what `hears` receives. Devices on loopback are told to this machine alone.
async fn listen(hears: &UdpSocket, speaks: &UdpSocket, port: u16, loopback: bool) {
    let told = format!("{{\"AlpacaPort\":{port}}}");
    let mut question = [0; LONGEST];
    loop {
        let Ok((length, from)) = hears.recv_from(&mut question).await else {
            // An answer that could not be delivered is reported by the next call.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            continue;
        };
        let is_probe = question[..length].starts_with(PROBE);
        if is_probe && (!loopback || from.ip().is_loopback()) {
            let _ = speaks.send_to(told.as_bytes(), from).await;
        }
    }
}
