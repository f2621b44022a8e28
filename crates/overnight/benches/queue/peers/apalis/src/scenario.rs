//! What is measured of either storage.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use apalis::prelude::*;
use apalis_core::backend::finalize::Durable;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::{Failure, Starts};

const BATCH: usize = 1_000;
/// See `measure.mjs`.
const FEW: usize = 50;

/// The moments at which handlers started.
pub(crate) struct Handlers {
    sender: Starts,
    starts: UnboundedReceiver<Instant>,
    began: Instant,
}

impl Handlers {
    pub(crate) fn new() -> Self {
        let (sender, starts) = unbounded_channel();
        Self { sender, starts, began: Instant::now() }
    }

    pub(crate) fn sender(&self) -> Starts {
        self.sender.clone()
    }
}

/// Whether a scenario needs a worker.
pub(crate) fn works(name: &str) -> bool {
    matches!(name, "drain" | "pickup")
}

pub(crate) async fn run<S>(
    name: &str,
    count: usize,
    storage: &S,
    handlers: Handlers,
    left: impl AsyncFn() -> Result<bool, Failure>,
) -> Result<Value, Failure>
where
    S: TaskSink<u32, Durable> + Clone + Send + 'static,
    TaskSinkError<S::Error>: Into<Failure>,
{
    match name {
        "enqueue-single" | "enqueue-ten" | "enqueue-batch" => enqueue(name, count, storage).await,
        "load" => batches(count, storage.clone()).await.map(|()| json!({})),
        "drain" => drain(count, handlers, left).await,
        "pickup" => pickup(count, storage.clone(), handlers).await,
        _ => Err(format!("unknown scenario {name}").into()),
    }
}

async fn enqueue<S>(name: &str, count: usize, storage: &S) -> Result<Value, Failure>
where
    S: TaskSink<u32, Durable> + Clone + Send + 'static,
    TaskSinkError<S::Error>: Into<Failure>,
{
    let mut sender = storage.clone();
    for _ in 0..20 {
        sender.push(0).await.map_err(Into::into)?;
    }
    let began = Instant::now();
    match name {
        "enqueue-single" => {
            for _ in 0..count {
                sender.push(0).await.map_err(Into::into)?;
            }
        }
        "enqueue-ten" => ten(count, storage).await?,
        _ => batches(count, sender).await?,
    }
    Ok(json!({ "rate": count as f64 / began.elapsed().as_secs_f64() }))
}

async fn ten<S>(count: usize, storage: &S) -> Result<(), Failure>
where
    S: TaskSink<u32, Durable> + Clone + Send + 'static,
    TaskSinkError<S::Error>: Into<Failure>,
{
    let sent = Arc::new(AtomicUsize::new(0));
    let senders: Vec<_> = (0..10)
        .map(|_| {
            let (mut sender, sent) = (storage.clone(), sent.clone());
            tokio::spawn(async move {
                while sent.fetch_add(1, Ordering::Relaxed) < count {
                    sender.push(0).await.map_err(Into::into)?;
                }
                Ok::<(), Failure>(())
            })
        })
        .collect();
    for sender in senders {
        sender.await??;
    }
    Ok(())
}

async fn batches<S>(count: usize, mut sender: S) -> Result<(), Failure>
where
    S: TaskSink<u32, Durable>,
    TaskSinkError<S::Error>: Into<Failure>,
{
    let mut left = count;
    while left > 0 {
        let size = left.min(BATCH);
        sender.push_bulk(vec![0; size]).await.map_err(Into::into)?;
        left -= size;
    }
    Ok(())
}

async fn drain(
    count: usize,
    mut handlers: Handlers,
    left: impl AsyncFn() -> Result<bool, Failure>,
) -> Result<Value, Failure> {
    for _ in 0..count {
        handlers.starts.recv().await;
    }
    while left().await? {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(json!({ "rate": count as f64 / handlers.began.elapsed().as_secs_f64() }))
}

async fn pickup<S>(count: usize, mut sender: S, mut handlers: Handlers) -> Result<Value, Failure>
where
    S: TaskSink<u32, Durable>,
    TaskSinkError<S::Error>: Into<Failure>,
{
    tokio::time::sleep(Duration::from_secs(1)).await;
    let warm = if count < FEW { 0 } else { 5 };
    let mut ms = Vec::new();
    for index in 0..count + warm {
        // 5 to 25 ms, never twice the same, and the same for every contestant.
        let spacing = 5.0 + 20.0 * (index as f64 * 0.618_033_988_7).fract();
        tokio::time::sleep(Duration::from_secs_f64(spacing / 1e3)).await;
        let began = Instant::now();
        sender.push(0).await.map_err(Into::into)?;
        let started = handlers.starts.recv().await.ok_or("the worker has ended")?;
        ms.push(started.duration_since(began).as_secs_f64() * 1e3);
    }
    Ok(json!({ "ms": ms.split_off(warm) }))
}
