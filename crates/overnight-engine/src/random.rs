//! Chance, for spreading things over time. Not for secrets.

/// A number from 0 to 1.
pub(crate) fn fraction() -> f64 {
    // The last 62 bits of such an id are random; 32 of them are plenty.
    let bits = uuid::Uuid::now_v7().as_u128() & u128::from(u32::MAX);
    f64::from(u32::try_from(bits).unwrap_or(0)) / f64::from(u32::MAX)
}
