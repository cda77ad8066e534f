//! A light stemmer for English: plurals, -ing, -ed. It never looks words up, so it is right only often enough for matching:
//! both sides are cut in the same way.

/// Writes the stem of a lower-case word to `out`, which is cleared first.
///
/// Words with anything but `a` to `z` stay as they are, apart from a possessive ending.
pub(crate) fn english(word: &str, out: &mut String) {
    out.clear();
    out.push_str(word.strip_suffix("'s").unwrap_or(word));
    if out.len() <= 3 || !out.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return;
    }
    plural(out);
    participle(out);
    if out.len() > 3 && out.ends_with('e') && !out.ends_with("ee") {
        out.pop();
    }
}

fn plural(word: &mut String) {
    if word.ends_with("ies") && word.len() > 4 {
        word.truncate(word.len() - 3);
        word.push('y');
    } else if ["sses", "xes", "ches", "shes", "zzes"]
        .iter()
        .any(|ending| word.ends_with(ending))
    {
        word.truncate(word.len() - 2);
    } else if word.ends_with('s') && !["ss", "us", "is"].iter().any(|ending| word.ends_with(ending)) {
        word.pop();
    }
}

fn participle(word: &mut String) {
    if word.ends_with("ied") && word.len() > 4 {
        word.truncate(word.len() - 3);
        word.push('y');
        return;
    }
    let cut = if word.ends_with("ing") {
        word.len() - 3
    } else if word.ends_with("ed") && !word.ends_with("eed") {
        word.len() - 2
    } else {
        return;
    };
    let has_vowel = word.bytes().take(cut).any(|letter| b"aeiouy".contains(&letter));
    if cut < 3 || !has_vowel {
        return;
    }
    word.truncate(cut);
    let mut ending = word.bytes().rev();
    let (last, before) = (ending.next(), ending.next());
    if last == before && last.is_some_and(|letter| !b"lszaeiou".contains(&letter)) {
        word.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &[&str]) {
        let stems: Vec<String> = words
            .iter()
            .map(|word| {
                let mut out = String::new();
                english(word, &mut out);
                out
            })
            .collect();
        assert!(
            stems.windows(2).all(|pair| pair[0] == pair[1]),
            "{words:?} -> {stems:?}"
        );
    }

    #[test]
    fn forms_of_one_word_have_one_stem() {
        check(&["leak", "leaks", "leaking", "leaked"]);
        check(&["freeze", "freezes", "freezing"]);
        check(&["schedule", "schedules", "scheduling", "scheduled"]);
        check(&["run", "runs", "running"]);
        check(&["drip", "dripping", "dripped"]);
        check(&["call", "calling", "called"]);
        check(&["battery", "batteries"]);
        check(&["dry", "dries", "dried", "drying"]);
        check(&["switch", "switches", "switched"]);
        check(&["owner", "owner's", "owners"]);
    }

    #[test]
    fn short_words_and_other_words_keep_apart() {
        for (one, other) in [
            ("bus", "bu"),
            ("thing", "th"),
            ("need", "ne"),
            ("gas", "ga"),
            ("ac", "a"),
            ("heater", "heat"),
        ] {
            let (mut left, mut right) = (String::new(), String::new());
            english(one, &mut left);
            english(other, &mut right);
            assert_ne!(left, right);
        }
    }
}
