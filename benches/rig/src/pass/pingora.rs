//! pingora-proxy as its quick start has it.

use std::net::SocketAddr;

use async_trait::async_trait;
use pingora_core::prelude::HttpPeer;
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};

use super::Way;

struct Pass(SocketAddr);

/// Serves until it is ended.
pub fn serve(way: Way) -> ! {
    let mut server = super::server();
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, Pass(way.origin));
    service.add_tcp(&way.listen.to_string());
    server.add_service(service);
    server.run_forever()
}

#[async_trait]
impl ProxyHttp for Pass {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(
        &self,
        _: &mut Session,
        _: &mut (),
    ) -> pingora_core::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.0, false, String::new())))
    }
}
