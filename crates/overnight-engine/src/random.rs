//! Chance, for spreading things over time and for words that others do not know. Not for keys.

/// A number from 0 to 1.
pub(crate) fn fraction() -> f64 {
    // The last 62 bits of such an id are random; 32 of them are plenty.
    let bits = uuid::Uuid::now_v7().as_u128() & u128::from(u32::MAX);
    f64::from(u32::try_from(bits).unwrap_or(0)) / f64::from(u32::MAX)
}

/// Sixteen letters and digits that nobody outside can guess: the second half of such an id comes from the system's random source.
pub(crate) fn word() -> String {
    let text = uuid::Uuid::now_v7().simple().to_string();
    text.get(16..).unwrap_or(&text).to_owned()
}
