//! Kubernetes quantities: `500m`, `2`, `1.5Gi`, `1e3`. Pure.

/// In thousandths of a unit, so that `500m` is exact. None for what is not a quantity or does not fit.
pub fn milli(text: &str) -> Option<i128> {
    let split = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let (numerator, denominator) = decimal(number)?;
    let (multiplier, divisor) = scale(suffix)?;
    // Rounded up, as the API server does with what is finer than it keeps.
    let value = numerator.checked_mul(multiplier)?.checked_mul(1000)?;
    let divisor = denominator.checked_mul(divisor)?;
    Some(value.div_euclid(divisor) + i128::from(value.rem_euclid(divisor) != 0))
}

/// Whether two quantities are the same amount.
pub fn equal(one: &str, other: &str) -> bool {
    matches!((milli(one), milli(other)), (Some(one), Some(other)) if one == other)
}

/// `12.5` as 125 over 10.
fn decimal(text: &str) -> Option<(i128, i128)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction}");
    let denominator = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    Some((digits.parse().ok()?, denominator))
}

fn scale(suffix: &str) -> Option<(i128, i128)> {
    let multiplier = match suffix {
        "" => 1,
        "n" => return Some((1, 1_000_000_000)),
        "u" => return Some((1, 1_000_000)),
        "m" => return Some((1, 1_000)),
        "k" => 10_i128.pow(3),
        "M" => 10_i128.pow(6),
        "G" => 10_i128.pow(9),
        "T" => 10_i128.pow(12),
        "P" => 10_i128.pow(15),
        "E" => 10_i128.pow(18),
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        "Pi" => 1 << 50,
        "Ei" => 1 << 60,
        exponent => return power_of_ten(exponent),
    };
    Some((multiplier, 1))
}

fn power_of_ten(suffix: &str) -> Option<(i128, i128)> {
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
    Some(if exponent < 0 { (1, power) } else { (power, 1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_amount_in_other_words() {
        for (one, other) in [
            ("2", "2000m"),
            ("2Gi", "2048Mi"),
            ("1.5", "1500m"),
            ("1e3", "1k"),
            ("0.5Gi", "512Mi"),
            ("1E", "1000P"),
        ] {
            assert!(equal(one, other), "{one} {other}");
        }
        assert!(!equal("1Gi", "1G"));
    }

    #[test]
    fn what_is_no_quantity_is_none() {
        for text in ["", "m", "2x", "Gi", "1.2.3", "--1", "1e99", "99999999999999999999999999999999999999Ei"]
        {
            assert_eq!(milli(text), None, "{text}");
        }
        assert_eq!(milli("-1"), Some(-1000));
    }
}
