//! stub
use serde_json::Value;
use crate::program::Order;
pub(crate) async fn run(order: &Order) -> Value {
    panic!("not yet: {}", order.scenario)
}
