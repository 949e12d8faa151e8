//! TCP ports for servers, below the kernel's ephemeral range: there, a client's socket could take the port of a server
//! that is being restarted.

use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 15_000;
const COUNT: u16 = 16_000;

/// A free port, held until the server that wants it is about to start.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _listener: TcpListener,
}

impl Port {
    /// Finds a port nobody listens on. This process never gets the same one again.
    pub fn free() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let start = u16::try_from(process::id() * 97 % u32::from(COUNT)).expect("less than the count");
        for _ in 0..COUNT {
            let step = NEXT.fetch_add(1, Ordering::Relaxed);
            let number = FIRST + (start + step % COUNT) % COUNT;
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, number)) {
                return Self { number, _listener: listener };
            }
        }
        panic!("no free port among the {COUNT} from {FIRST} on");
    }

    /// Returns the number; the port stays held.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// Gives the port to the server that starts now.
    pub fn release(self) -> u16 {
        self.number
    }
}
