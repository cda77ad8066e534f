//! Lexemes of a spoken or typed text: digit groups, number words, pauses and the words that announce a number.

use unicode_normalization::UnicodeNormalization;

/// What a word says about numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// One digit: "seven".
    Unit(u8),
    /// A word that is the digit zero among digits and a sigh elsewhere: "oh".
    Oh,
    /// 10 to 19.
    Teen(u8),
    /// 20, 30, … 90.
    Tens(u8),
    /// "hundred".
    Hundred,
    /// "thousand".
    Thousand,
    /// "double", "triple": the next digit so many times.
    Times(u8),
    /// A hesitation or a spoken separator, which does not end a number.
    Pause,
    /// A word for a short while; a number word before it counts time: "one second".
    While,
    /// "CVV", "CVC".
    CardCode,
    /// A letter that may spell "C V V", "C V C" or "S S N".
    Letter(u8),
    /// "social", "SSN".
    Social,
    /// "security".
    Security,
    /// "code".
    Code,
    /// "card".
    Card,
    /// "of".
    Of,
    /// "digit", "digits".
    DigitNoun,
    /// "the", "your", "my".
    Article,
    /// "back", "front".
    Side,
    /// A word after which a number is not the rest of one begun before: "phone", "zip".
    OtherNumber,
    /// A word after a number that makes it an amount: "dollars".
    Amount,
    /// Any other word.
    Other,
}

/// What a lexeme is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Digits only.
    Digits,
    /// Digits with letters stuck to their end: the last group of a number, or an ordinal: "6467th".
    Glued,
    /// A word.
    Word(Word),
    /// An amount of money, a marker or a mixture of letters and digits: it ends a number.
    Break,
    /// Text that redaction put in for a security code.
    CodeMarker,
    /// Text that redaction put in for a social security number.
    SocialMarker,
    /// Text that redaction put in for a card number.
    CardMarker,
}

/// A piece of the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lexeme {
    /// Where it begins, in bytes.
    pub(super) start: usize,
    /// Where it ends, in bytes.
    pub(super) end: usize,
    /// What it is.
    pub(super) kind: Kind,
}

/// Characters that the normal form drops: they separate nothing.
fn is_ignorable(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// The decimal value of a digit of any script that the normal form, or a recogniser, may yield.
pub(super) fn digit_value(c: char) -> Option<u8> {
    if c.is_ascii() {
        return c.is_ascii_digit().then(|| c as u8 - b'0');
    }
    // Arabic-Indic, Extended Arabic-Indic, Devanagari, Bengali, Thai: what phones and keyboards produce.
    for zero in ['\u{660}', '\u{6f0}', '\u{966}', '\u{9e6}', '\u{e50}'] {
        let distance = (c as u32).wrapping_sub(zero as u32);
        if distance < 10 {
            return u8::try_from(distance).ok();
        }
    }
    if !c.is_numeric() {
        return None;
    }
    let mut folded = std::iter::once(c).nfkc();
    let only = folded.next().filter(char::is_ascii_digit)?;
    folded.next().is_none().then(|| only as u8 - b'0')
}

/// The longest word in the table below.
const LONGEST: usize = 12;

/// Looks a word up, whatever its case.
pub(super) fn look_up(word: &str) -> Word {
    let mut buffer = [0_u8; LONGEST];
    let mut length = 0;
    if word.is_ascii() {
        if word.len() > LONGEST {
            return Word::Other;
        }
        for (slot, byte) in buffer.iter_mut().zip(word.bytes()) {
            *slot = byte.to_ascii_lowercase();
        }
        length = word.len();
    } else {
        for c in word.nfkc().filter(|c| !is_ignorable(*c)) {
            let Some(slot) = buffer.get_mut(length).filter(|_| c.is_ascii() || c == '\u{2019}') else {
                return Word::Other;
            };
            *slot = if c == '\u{2019}' {
                b'\''
            } else {
                (c as u8).to_ascii_lowercase()
            };
            length += 1;
        }
    }
    classify(buffer.get(..length).unwrap_or_default())
}

/// The table. The outer match keeps the common case, a word that is not in it, at a handful of comparisons.
#[expect(clippy::too_many_lines, reason = "a table")]
fn classify(word: &[u8]) -> Word {
    match word.first() {
        Some(b'a') => match word {
            b"aught" => Word::Oh,
            b"and" | b"ah" | b"a" => Word::Pause,
            b"address" | b"apartment" | b"ave" | b"avenue" => Word::OtherNumber,
            _ => Word::Other,
        },
        Some(b'b') => match word {
            b"back" => Word::Side,
            b"bucks" => Word::Amount,
            b"by" => Word::Pause,
            _ => Word::Other,
        },
        Some(b'c') => match word {
            b"c" => Word::Letter(b'c'),
            b"card" => Word::Card,
            b"cvv" | b"cvc" | b"cvv2" | b"cvc2" | b"cvvs" => Word::CardCode,
            b"code" | b"codes" => Word::Code,
            b"comma" => Word::Pause,
            b"cell" | b"call" | b"court" => Word::OtherNumber,
            b"cents" => Word::Amount,
            _ => Word::Other,
        },
        Some(b'd') => match word {
            b"double" => Word::Times(2),
            b"digit" | b"digits" => Word::DigitNoun,
            b"dash" | b"dot" => Word::Pause,
            b"dollar" | b"dollars" => Word::Amount,
            b"drive" => Word::OtherNumber,
            _ => Word::Other,
        },
        Some(b'e') => match word {
            b"eight" => Word::Unit(8),
            b"eleven" => Word::Teen(11),
            b"eighteen" => Word::Teen(18),
            b"eighty" => Word::Tens(80),
            b"er" | b"erm" | b"eh" => Word::Pause,
            b"extension" | b"ext" => Word::OtherNumber,
            _ => Word::Other,
        },
        Some(b'f') => match word {
            b"four" => Word::Unit(4),
            b"five" => Word::Unit(5),
            b"fourteen" => Word::Teen(14),
            b"fifteen" => Word::Teen(15),
            b"forty" | b"fourty" => Word::Tens(40),
            b"fifty" => Word::Tens(50),
            b"front" => Word::Side,
            b"followed" => Word::Pause,
            _ => Word::Other,
        },
        Some(b'h') => match word {
            b"hundred" => Word::Hundred,
            b"hm" | b"hmm" | b"hmmm" | b"hyphen" | b"hold" | b"hang" => Word::Pause,
            b"house" => Word::OtherNumber,
            _ => Word::Other,
        },
        Some(b'i' | b'j' | b'k') => match word {
            b"it's" | b"is" | b"just" => Word::Pause,
            _ => Word::Other,
        },
        Some(b'l' | b'm') => match word {
            b"let" | b"like" | b"me" | b"mm" | b"mmm" | b"mhm" => Word::Pause,
            b"minute" | b"moment" | b"more" => Word::While,
            b"my" => Word::Article,
            b"mobile" | b"model" | b"lane" => Word::OtherNumber,
            _ => Word::Other,
        },
        Some(b'n') => match word {
            b"n" => Word::Letter(b'n'),
            b"nine" | b"niner" => Word::Unit(9),
            b"nineteen" => Word::Teen(19),
            b"ninety" => Word::Tens(90),
            b"naught" | b"nought" => Word::Oh,
            b"now" | b"next" => Word::Pause,
            _ => Word::Other,
        },
        Some(b'o') => match word {
            b"one" => Word::Unit(1),
            b"o" | b"oh" => Word::Oh,
            b"on" | b"ok" | b"okay" => Word::Pause,
            b"of" => Word::Of,
            _ => Word::Other,
        },
        Some(b'p') => match word {
            b"pause" | b"period" | b"please" | b"point" => Word::Pause,
            b"phone" => Word::OtherNumber,
            b"percent" => Word::Amount,
            _ => Word::Other,
        },
        Some(b'q' | b'r') => match word {
            b"quadruple" => Word::Times(4),
            b"right" => Word::Pause,
            b"reach" | b"road" => Word::OtherNumber,
            _ => Word::Other,
        },
        Some(b's') => match word {
            b"s" => Word::Letter(b's'),
            b"six" => Word::Unit(6),
            b"seven" => Word::Unit(7),
            b"sixteen" => Word::Teen(16),
            b"seventeen" => Word::Teen(17),
            b"sixty" => Word::Tens(60),
            b"seventy" => Word::Tens(70),
            b"social" | b"ssn" => Word::Social,
            b"security" => Word::Security,
            b"so" | b"see" | b"sorry" | b"space" => Word::Pause,
            b"sec" | b"second" => Word::While,
            b"street" | b"suite" => Word::OtherNumber,
            _ => Word::Other,
        },
        Some(b't') => match word {
            b"two" => Word::Unit(2),
            b"three" => Word::Unit(3),
            b"ten" => Word::Teen(10),
            b"twelve" => Word::Teen(12),
            b"thirteen" => Word::Teen(13),
            b"twenty" => Word::Tens(20),
            b"thirty" => Word::Tens(30),
            b"thousand" => Word::Thousand,
            b"triple" | b"treble" => Word::Times(3),
            b"the" => Word::Article,
            b"then" | b"that's" => Word::Pause,
            _ => Word::Other,
        },
        Some(b'u') => match word {
            b"uh" | b"uhh" | b"uhm" | b"um" | b"umm" => Word::Pause,
            b"unit" => Word::OtherNumber,
            _ => Word::Other,
        },
        Some(b'v') if word == b"v" => Word::Letter(b'v'),
        Some(b'w') => match word {
            b"wait" | b"well" => Word::Pause,
            _ => Word::Other,
        },
        Some(b'y') => match word {
            b"yeah" | b"yep" | b"yes" => Word::Pause,
            b"your" => Word::Article,
            _ => Word::Other,
        },
        Some(b'z') => match word {
            b"zero" | b"zeros" | b"zeroes" => Word::Unit(0),
            b"zip" => Word::OtherNumber,
            _ => Word::Other,
        },
        _ => Word::Other,
    }
}

/// Whether this word alone makes the text worth a closer look: it is a digit, or it announces a number.
pub(super) fn is_telling(word: Word) -> bool {
    matches!(
        word,
        Word::Unit(_)
            | Word::Oh
            | Word::Teen(_)
            | Word::Tens(_)
            | Word::CardCode
            | Word::Social
            | Word::Security
            | Word::Code
            | Word::DigitNoun
            | Word::Letter(b'v' | b'n')
    )
}

/// Whether a text may be returned as it is: no digit, no number word and no word that announces a number.
pub(super) fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut start = 0;
    for (at, byte) in bytes.iter().copied().enumerate() {
        if byte.is_ascii_digit() || byte >= 0x80 {
            return false;
        }
        if byte.is_ascii_alphabetic() || byte == b'\'' {
            continue;
        }
        if at > start && bytes.get(start..at).is_some_and(is_telling_bytes) {
            return false;
        }
        start = at + 1;
    }
    !bytes.get(start..).is_some_and(is_telling_bytes)
}

/// [`is_telling`] of an ASCII word.
fn is_telling_bytes(word: &[u8]) -> bool {
    let word = word.strip_prefix(b"'").unwrap_or(word);
    let word = word.strip_suffix(b"'").unwrap_or(word);
    // No telling word begins with another letter; most words of a sentence end here.
    let Some(first) = word.first().map(u8::to_ascii_lowercase) else {
        return false;
    };
    if word.len() > LONGEST || !matches!(first, b'a'..=b'f' | b'n' | b'o' | b's' | b't' | b'v' | b'z') {
        return false;
    }
    let mut buffer = [0_u8; LONGEST];
    for (slot, byte) in buffer.iter_mut().zip(word) {
        *slot = byte.to_ascii_lowercase();
    }
    buffer
        .get(..word.len())
        .is_some_and(|lower| is_telling(classify(lower)))
}

/// Cuts a text into lexemes.
pub(super) fn lexemes(text: &str, markers: [(&str, Kind); 3]) -> Vec<Lexeme> {
    let mut found = Vec::new();
    let mut rest = text.char_indices().peekable();
    let mut previous = ' ';
    while let Some((start, c)) = rest.next() {
        if c == '[' {
            let here = text.get(start..).unwrap_or_default();
            if let Some((marker, kind)) = markers.iter().find(|(marker, _)| here.starts_with(marker)) {
                let end = start + marker.len();
                while rest.next_if(|(at, _)| *at < end).is_some() {}
                found.push(Lexeme {
                    start,
                    end,
                    kind: *kind,
                });
                previous = ']';
                continue;
            }
        }
        if !(c.is_alphanumeric() || digit_value(c).is_some()) {
            previous = c;
            continue;
        }
        let is_money = matches!(previous, '$' | '€' | '£');
        let mut end = start + c.len_utf8();
        while let Some((at, next)) = rest.next_if(|(at, next)| continues(text, *at, *next, is_money)) {
            end = at + next.len_utf8();
        }
        previous = 'a';
        let piece = text.get(start..end).unwrap_or_default();
        let goes_on = || text.get(end..).is_some_and(begins_with_digit);
        push_piece(piece, start, is_money, goes_on, &mut found);
    }
    found
}

/// Whether `c` at `at` belongs to the lexeme before it.
fn continues(text: &str, at: usize, c: char, is_money: bool) -> bool {
    if c.is_alphanumeric() || is_ignorable(c) || digit_value(c).is_some() {
        return true;
    }
    let next = || text.get(at + c.len_utf8()..).and_then(|rest| rest.chars().next());
    match c {
        // "that's" is one word.
        '\'' | '\u{2019}' => next().is_some_and(char::is_alphabetic),
        // "$1,499.99" is one amount.
        ',' | '.' => is_money && next().is_some_and(|n| n.is_ascii_digit()),
        _ => false,
    }
}

/// Whether a digit comes next, behind what may stand between groups.
fn begins_with_digit(rest: &str) -> bool {
    let digit = rest.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '.' | '-' | ',' | '/'));
    digit.len() < rest.len() && digit.chars().next().is_some_and(|c| digit_value(c).is_some())
}

/// Pushes what a piece without separators is; `goes_on` says whether a digit comes next.
fn push_piece(piece: &str, start: usize, is_money: bool, goes_on: impl Fn() -> bool, found: &mut Vec<Lexeme>) {
    let end = start + piece.len();
    if is_money {
        found.push(Lexeme {
            start,
            end,
            kind: Kind::Break,
        });
        return;
    }
    let digits = piece.chars().filter(|c| digit_value(*c).is_some()).count();
    if digits == 0 {
        found.push(Lexeme {
            start,
            end,
            kind: Kind::Word(look_up(piece)),
        });
        return;
    }
    if digits == piece.chars().filter(|c| !is_ignorable(*c)).count() {
        found.push(Lexeme {
            start,
            end,
            kind: Kind::Digits,
        });
        return;
    }
    let word = look_up(piece);
    if word != Word::Other {
        found.push(Lexeme {
            start,
            end,
            kind: Kind::Word(word),
        });
        return;
    }
    push_mixture(piece, start, goes_on, found);
}

/// Letters and digits stuck together are a model number, unless the digits alone are as many as a card has, or they are
/// the first or the last group of a number.
fn push_mixture(piece: &str, start: usize, goes_on: impl Fn() -> bool, found: &mut Vec<Lexeme>) {
    let end = start + piece.len();
    let is_digit = |c: char| digit_value(c).is_some() || is_ignorable(c);
    let ends_in_letters = piece.trim_start_matches(is_digit);
    if ends_in_letters.len() < piece.len() && !ends_in_letters.chars().any(is_digit) {
        let digits = end - ends_in_letters.len();
        if digits - start < super::card::SHORTEST {
            found.push(lexeme(start, digits, Kind::Glued));
            found.push(lexeme(digits, end, Kind::Break));
            return;
        }
    }
    let begins_with_letters = piece.trim_end_matches(is_digit);
    if begins_with_letters.len() < piece.len() && !begins_with_letters.chars().any(is_digit) {
        let digits = start + begins_with_letters.len();
        let word = look_up(begins_with_letters);
        if matches!(word, Word::CardCode | Word::Social) || goes_on() {
            let before = if word == Word::Other {
                Kind::Break
            } else {
                Kind::Word(word)
            };
            found.push(lexeme(start, digits, before));
            found.push(lexeme(digits, end, Kind::Digits));
            return;
        }
    }
    found.push(lexeme(start, start, Kind::Break));
    for run in piece.split(|c| !is_digit(c)) {
        let from = start + (run.as_ptr() as usize - piece.as_ptr() as usize);
        if run.chars().filter(|c| digit_value(*c).is_some()).count() >= super::card::SHORTEST {
            found.push(lexeme(from, from + run.len(), Kind::Digits));
            found.push(lexeme(from + run.len(), from + run.len(), Kind::Break));
        }
    }
    found.push(lexeme(end, end, Kind::Break));
}

const fn lexeme(start: usize, end: usize, kind: Kind) -> Lexeme {
    Lexeme { start, end, kind }
}
