/// Thousandths of a share of 0 to 1, rounded down: what is not quite all is not told as all.
#[must_use]
pub fn thousandths(share: f64) -> u16 {
    // The smallest excess mends shares such as 0.29, whose nearest number lies below.
    (share.clamp(0.0, 1.0) * 1_000.0 + 1e-9).floor() as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_all_of_it_is_a_thousand() {
        let told = [0.0, 0.29, 0.995, 0.9996, 1.0, 1.2, -1.0].map(thousandths);
        assert_eq!(told, [0, 290, 995, 999, 1_000, 1_000, 0]);
    }
}
