//! Long lists, sent a few thousand rows at a time.
//!
//! Each part is a query of its own that begins after the last row of the part before. So a response
//! of any length needs the memory of two parts, and no slow client keeps a transaction open.

use std::sync::Arc;

use actix_web::{HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use futures_util::stream;
use tokio::task::JoinHandle;

use crate::store::error::StoreError;
use crate::store::reader::Reader;
use crate::web::pool::ReaderPool;
use crate::web::problem::Problem;

/// Rows of a part.
pub const PART: usize = 4096;

/// A part of a list.
pub struct StreamPart<S> {
    /// The rows, encoded.
    pub bytes: Vec<u8>,
    /// Where the next part begins; none after the last one.
    pub next: Option<S>,
}

/// Responds with the parts that `read` makes, from `first` on.
///
/// # Errors
/// When the first part cannot be read. If a later one cannot, the connection breaks off.
pub async fn answer<S, E, F>(
    pool: &Arc<ReaderPool>,
    mut response: HttpResponseBuilder,
    first: S,
    read: F,
) -> Result<HttpResponse, Problem>
where
    S: Send + 'static,
    E: From<StoreError> + Send + 'static,
    Problem: From<E>,
    F: Fn(&mut Reader, S) -> Result<StreamPart<S>, E> + Send + Sync + 'static,
{
    let read = Arc::new(read);
    let reading = Arc::clone(&read);
    let part = pool.ask_with(move |reader| reading(reader, first)).await?;
    if part.next.is_none() {
        return Ok(response.body(part.bytes));
    }
    let pool = Arc::clone(pool);
    // The next part is read while the one before is sent.
    let ahead = move |part: &mut StreamPart<S>| {
        let place = part.next.take()?;
        let (pool, read) = (Arc::clone(&pool), Arc::clone(&read));
        Some(tokio::spawn(async move { pool.ask_with(move |reader| read(reader, place)).await }))
    };
    let parts = stream::try_unfold(NextPart::Ready(part), move |turn| {
        let ahead = ahead.clone();
        async move {
            let mut part = match turn {
                NextPart::Over => return Ok(None),
                NextPart::Ready(part) => part,
                NextPart::Coming(part) => part.await.map_err(|_| Problem::internal())??,
            };
            let turn = ahead(&mut part).map_or(NextPart::Over, NextPart::Coming);
            Ok::<_, Problem>(Some((Bytes::from(part.bytes), turn)))
        }
    });
    Ok(response.streaming(Box::pin(parts)))
}

enum NextPart<S> {
    Ready(StreamPart<S>),
    Coming(JoinHandle<Result<StreamPart<S>, Problem>>),
    Over,
}
