//! The stack of a leg: one line a layer, in the order in which a request meets them.

use http::Response;
use tower::ServiceBuilder;

use super::allow;
use super::capability;
use super::contract::ContractLayer;
use super::exchange::Exchange;
use super::forward::Forward;
use super::gate::GateLayer;
use super::head;
use super::limits;
use super::reply::Reply;

/// What every service of the stack answers with.
pub type Answer = Response<Reply>;

/// A service of the stack. It never fails: what goes wrong is an answer too, since an error would
/// end the connection.
pub trait Serve:
    tower::Service<
        Box<Exchange>,
        Response = Answer,
        Error = std::convert::Infallible,
        Future: Send + Unpin + 'static,
    > + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Serve for S where
    S: tower::Service<
            Box<Exchange>,
            Response = Answer,
            Error = std::convert::Infallible,
            Future: Send + Unpin + 'static,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

/// The stack. Its services hold nothing: what they need comes with each request.
pub fn stack() -> impl Serve {
    ServiceBuilder::new()
        .layer(GateLayer(head::check))
        .layer(GateLayer(capability::show))
        .layer(GateLayer(limits::admit))
        .layer(GateLayer(allow::admit))
        .layer(ContractLayer)
        .service(Forward)
}
