//! A pingora-core listening service whose sockets are already bound, and whose accepting stops
//! when the drain starts.

use std::fs::Permissions;
use std::os::fd::IntoRawFd;
use std::os::unix::fs::PermissionsExt;

use async_trait::async_trait;
use modegate_config::Bind;
use pingora_core::apps::ServerApp;
use pingora_core::listeners::{L4BufferSettings, ListenerConfig, TcpSocketOptions};
use pingora_core::server::{ListenFds, ShutdownWatch};
use pingora_core::services::Service;
use pingora_core::services::listening;

use super::listen::Socket;
use super::take_over::name;
use crate::data_plane::{Drain, keep_alive};

/// The service.
pub struct Prebound<A> {
    inner: listening::Service<A>,
    sockets: Vec<Socket>,
    drain: Drain,
}

impl<A: ServerApp + Send + Sync + 'static> Prebound<A> {
    /// A service of this many threads on these sockets.
    pub fn new(
        name: &str,
        app: A,
        sockets: Vec<Socket>,
        threads: usize,
        drain: &Drain,
    ) -> Prebound<A> {
        let mut inner = listening::Service::new(name.to_owned(), app);
        inner.threads = Some(threads);
        for socket in &sockets {
            let listener = match &socket.bound.bind {
                Bind::Tcp(address) => {
                    ListenerConfig::tcp(address.to_string()).tcp_socket_options(options())
                }
                Bind::Unix(path) => ListenerConfig::uds(path.to_string_lossy())
                    .permissions(Permissions::from_mode(0o660)),
            };
            // hyper reads into buffers of its own; a second one costs 64 KiB a connection.
            inner.add_listener(listener.l4_buffer(L4BufferSettings::unbuffered()));
        }
        Prebound { inner, sockets, drain: drain.clone() }
    }
}

fn options() -> TcpSocketOptions {
    let mut options = TcpSocketOptions::default();
    options.tcp_keepalive = Some(keep_alive());
    options
}

#[async_trait]
impl<A: ServerApp + Send + Sync + 'static> Service for Prebound<A> {
    async fn start_service(
        &mut self,
        fds: Option<ListenFds>,
        mut shutdown: ShutdownWatch,
        listeners_per_fd: usize,
    ) {
        if let Some(table) = &fds {
            let mut table = table.lock();
            for socket in &mut self.sockets {
                let name = name(&socket.bound.bind);
                let own = socket.fd.take().map(IntoRawFd::into_raw_fd);
                let came = || socket.coming.get()?.get(&name).copied();
                if let Some(fd) = own.or_else(came) {
                    table.add(name, fd);
                }
            }
        }
        // After a hand-over the server says stop itself; it means the same.
        let drain = self.drain.clone();
        tokio::spawn(async move {
            if shutdown.wait_for(|stopping| *stopping).await.is_ok() {
                drain.start();
            }
        });
        self.inner.start_service(fds, self.drain.watch(), listeners_per_fd).await;
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    fn threads(&self) -> Option<usize> {
        self.inner.threads
    }

    fn listen_addresses(&self) -> Option<Vec<String>> {
        self.inner.listen_addresses()
    }
}
