//! The known name that somebody probably meant.

/// The candidate nearest to a name: equal but for case, else with few letters added, lost, changed or swapped.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A name that long is no slip of the pen, and distances cost its square.
    if name.len() > 64 {
        return None;
    }
    let wanted: Vec<char> = name.to_lowercase().chars().collect();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let letters: Vec<char> = candidate.to_lowercase().chars().collect();
        let allowed = (wanted.len().max(letters.len()) / 3).max(1);
        let distance = distance(&wanted, &letters);
        if distance <= allowed && distance < letters.len() && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance: the restricted form of Damerau and Levenshtein's.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, letter) in left.iter().enumerate() {
        let mut line = Vec::with_capacity(right.len() + 1);
        line.push(row + 1);
        for (column, other) in right.iter().enumerate() {
            let at = |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX - 1);
            let change = at(&last, column) + usize::from(letter != other);
            let mut cost = change.min(at(&last, column + 1) + 1).min(at(&line, column) + 1);
            let swapped =
                row > 0 && column > 0 && left.get(row - 1) == Some(other) && right.get(column - 1) == Some(letter);
            if swapped {
                cost = cost.min(at(&before_last, column - 1) + 1);
            }
            line.push(cost);
        }
        before_last = std::mem::replace(&mut last, line);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 5] = ["timezone", "phone", "phones", "greeting", "twilio"];

    #[track_caller]
    fn check(name: &str, want: Option<&str>) {
        assert_eq!(nearest(name, NAMES), want, "{name}");
    }

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        check("timeZone", Some("timezone"));
        check("tiemzone", Some("timezone"));
        check("phon", Some("phone"));
        check("gretting", Some("greeting"));
        check("twillio", Some("twilio"));
    }

    #[test]
    fn a_name_of_its_own_has_no_nearest() {
        for name in ["", "x", "loyaltyProgramme", &"phone".repeat(50)] {
            check(name, None);
        }
    }
}
