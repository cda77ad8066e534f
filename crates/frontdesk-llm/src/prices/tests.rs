use jiff::civil::date;

use super::*;

const TODAY: Date = date(2026, 11, 26);

fn row(id: &str, model: &str, above: u64, from: Date, price: u64) -> PriceRow {
    PriceRow {
        id: id.into(),
        provider: "test".into(),
        model: model.into(),
        above_prompt_tokens: above,
        effective_from: from,
        input: price,
        cached: price / 10,
        cache_write: price * 5 / 4,
        output: price * 5,
    }
}

/// The ids of the rows that price the model on a day, smaller bands first.
fn check(rows: Vec<PriceRow>, model: &str, day: Date, expected: &[&str]) {
    let prices = PriceTable::default().with_rows(rows).of(model, day);
    let ids: Vec<_> = prices
        .iter()
        .flat_map(|prices| std::iter::once(&prices.base).chain(&prices.above))
        .map(|row| row.id.to_string())
        .collect();
    assert_eq!(ids, expected);
}

#[test]
fn the_embedded_prices_are_novembers() {
    let per_million = [
        ("gpt-6-luna", 0.10, 0.01, 0.125, 0.50),
        ("gpt-6.1-terra", 1.0, 0.05, 2.50, 5.0),
        ("gpt-6-sol", 2.0, 0.20, 2.50, 10.0),
    ];
    let table = PriceTable::embedded();
    assert_eq!(table.rows.len(), 2 * per_million.len());
    for (model, input, cached, cache_write, output) in per_million {
        let prices = table.of(model, TODAY).unwrap();
        let pico = |usd: f64| format!("{:.0}", usd * 1e6).parse::<u64>().unwrap();
        for (band, factor, output_factor) in [(&prices.base, 1.0, 1.0), (&prices.above[0], 2.0, 1.5)] {
            assert_eq!(band.input, pico(input * factor), "{model}");
            assert_eq!(band.cached, pico(cached * factor), "{model}");
            assert_eq!(band.cache_write, pico(cache_write * factor), "{model}");
            assert_eq!(band.output, pico(output * output_factor), "{model}");
        }
        assert_eq!(prices.above[0].above_prompt_tokens, 272_000);
    }
}

#[test]
fn no_embedded_row_is_free_and_each_has_its_own_id() {
    let rows = parse_rows(EMBEDDED).unwrap();
    let ids: std::collections::HashSet<_> = rows.iter().map(|row| &row.id).collect();
    assert_eq!(ids.len(), rows.len());
    for row in &rows {
        assert!(row.input > 0 && row.cached > 0 && row.cache_write > 0 && row.output > 0);
    }
}

#[test]
fn a_model_without_a_price_has_none() {
    let table = PriceTable::embedded();
    for model in ["", "gpt-6-luna-pro", "gpt-6", "GPT-6-LUNA", "gpt-6x1-terra"] {
        assert_eq!(table.of(model, TODAY), None, "{model}");
    }
    assert_eq!(table.of("gpt-6-luna", date(2026, 10, 31)), None);
}

#[test]
fn the_newest_row_of_the_day_holds() {
    let rows = || {
        vec![
            row("june", "m", 0, date(2026, 6, 1), 5),
            row("january", "m", 0, date(2026, 1, 1), 9),
        ]
    };
    check(rows(), "m", date(2025, 12, 31), &[]);
    check(rows(), "m", date(2026, 5, 31), &["january"]);
    check(rows(), "m", date(2026, 6, 1), &["june"]);
}

#[test]
fn each_band_has_the_newest_row_of_its_own() {
    let rows = vec![
        row("large", "m", 1_000, date(2026, 1, 1), 9),
        row("small", "m", 0, date(2026, 1, 1), 5),
        row("small from june", "m", 0, date(2026, 6, 1), 4),
    ];
    check(rows, "m", TODAY, &["small from june", "large"]);
}

#[test]
fn a_later_row_wins_over_an_equal_one() {
    let embedded = row("embedded", "m", 0, date(2026, 1, 1), 5);
    check(
        vec![embedded, row("mine", "m", 0, date(2026, 1, 1), 0)],
        "m",
        TODAY,
        &["mine"],
    );
}

#[test]
fn the_most_specific_pattern_decides() {
    let rows = || {
        vec![
            row("exact", "gpt-6-luna", 0, date(2026, 1, 1), 5),
            row("family", "gpt-6-*", 0, date(2026, 11, 1), 5),
            row("all", "*", 0, date(2026, 11, 20), 5),
            row("two", "*luna*", 0, date(2026, 11, 20), 5),
        ]
    };
    check(rows(), "gpt-6-luna", TODAY, &["exact"]);
    check(rows(), "gpt-6-luna-2026-10-01", TODAY, &["family"]);
    check(rows(), "llama", TODAY, &["all"]);
    // What is not in force yet decides nothing.
    check(rows(), "gpt-6-sol", date(2026, 10, 1), &[]);
}

#[test]
fn bands_of_different_patterns_do_not_mix() {
    let rows = vec![
        row("exact", "m-1", 0, date(2026, 1, 1), 5),
        row("large, of the family", "m-*", 1_000, date(2026, 1, 1), 9),
        row("large alone", "x", 1_000, date(2026, 1, 1), 9),
    ];
    check(rows.clone(), "m-1", TODAY, &["exact"]);
    check(rows.clone(), "m-2", TODAY, &[]);
    check(rows, "x", TODAY, &[]);
}

#[test]
fn a_star_stands_for_any_number_of_characters() {
    for (pattern, name, expected) in [
        ("a*", "a", true),
        ("a*", "ab", true),
        ("a*", "ba", false),
        ("*a", "ba", true),
        ("*a", "ab", false),
        ("a*b*c", "a-b-c", true),
        ("a*b*c", "abbc", true),
        ("a*b*c", "ac", false),
        ("a*a", "a", false),
        ("*", "", true),
        ("**", "x", true),
        ("", "", true),
        ("a.c", "abc", false),
    ] {
        assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
    }
}

#[test]
fn no_bill_within_its_bounds_is_above_the_worst_case() {
    let day = date(2026, 1, 1);
    let cheaper_above = vec![row("small", "m", 0, day, 9), row("large", "m", 1_000, day, 1)];
    let dearer_above = vec![
        row("small", "m", 0, day, 1),
        row("large", "m", 1_000, day, 3),
        row("huge", "m", 5_000, day, 20),
    ];
    for rows in [cheaper_above, dearer_above] {
        let prices = PriceTable::default().with_rows(rows).of("m", day).unwrap();
        for bound in [0, 1, 999, 1_000, 1_001, 4_999, 5_001, 9_000] {
            let (worst, _) = prices.worst(bound, 160);
            let mut dearest = PicoUsd::ZERO;
            for prompt in (0..=bound).filter(|prompt| prompt % 500 <= 1 || *prompt == bound) {
                let usage = Usage {
                    prompt,
                    cached: 0,
                    cache_write: prompt,
                    completion: 160,
                };
                dearest = dearest.max(prices.bill(&usage).0);
            }
            // Nor is it more than what can be billed: no request is refused for money that it cannot cost.
            assert_eq!(dearest, worst, "{bound}");
        }
    }
}

#[test]
fn a_prompt_is_billed_whole_by_the_band_of_its_size() {
    let prices = PriceTable::embedded().of("gpt-6-luna", TODAY).unwrap();
    let bill = |prompt| {
        let usage = Usage {
            prompt,
            completion: 10,
            ..Usage::default()
        };
        let (amount, row) = prices.bill(&usage);
        (amount.pico(), row.above_prompt_tokens)
    };
    assert_eq!(bill(272_000), (272_000 * 100_000 + 10 * 500_000, 0));
    assert_eq!(bill(272_001), (272_001 * 200_000 + 10 * 750_000, 272_000));
    assert_eq!(prices.worst(272_000, 160).1.above_prompt_tokens, 0);
    assert_eq!(prices.worst(272_001, 160).1.above_prompt_tokens, 272_000);
}

/// What is wrong with one row whose field is replaced.
fn complaint(field: &str, value: &str) -> String {
    let good = r#"{"id":"a","provider":"b","model":"c","effectiveFrom":"2026-11-01","input":1,"cached":1,"cacheWrite":1,"output":1}"#;
    let mut row: serde_json::Map<_, _> = serde_json::from_str(good).unwrap();
    if value.is_empty() {
        row.remove(field);
    } else {
        row.insert(field.to_owned(), serde_json::from_str(value).unwrap());
    }
    let row = serde_json::Value::Object(row);
    parse_rows(&format!("[{good},{row}]")).unwrap_err().to_string()
}

#[test]
fn a_wrong_row_is_refused_in_words() {
    let price = "must be a whole number of pico-USD a token: USD 0.10 per million tokens are 100000";
    for value in ["", "0.1", "-1", "\"1\"", "null", "1e30"] {
        let expected = format!("row 1 (counted from 0): `cacheWrite` {price}");
        assert_eq!(complaint("cacheWrite", value), expected, "{value}");
    }
    for (field, value, expected) in [
        ("id", "", "`id` must be a text that names the row"),
        ("model", "\" gpt\"", "`model` must be the model's name"),
        ("effectiveFrom", "\"1 Nov 2026\"", "such as \"2026-11-01\""),
        (
            "abovePromptTokens",
            "-5",
            "`abovePromptTokens` must be a whole number of tokens",
        ),
        ("prompt", "1", "there is no field `prompt`; the fields are id, provider"),
    ] {
        let said = complaint(field, value);
        assert!(
            said.starts_with("row 1 (counted from 0): ") && said.contains(expected),
            "{said}"
        );
    }
    assert_eq!(
        parse_rows("[1]").unwrap_err().to_string(),
        "row 0 (counted from 0) is no JSON object"
    );
    assert!(matches!(parse_rows("{}"), Err(NotPrices::NotAnArray)));
    assert!(matches!(parse_rows("["), Err(NotPrices::NotJson(_))));
}

#[test]
fn an_operators_row_may_cost_nothing() {
    let rows = parse_rows(
        r#"[{"id":"own","provider":"ollama","model":"llama*","effectiveFrom":"2026-01-01","input":0,"cached":0,"cacheWrite":0,"output":0}]"#,
    );
    let prices = PriceTable::embedded()
        .with_rows(rows.unwrap())
        .of("llama4:8b", TODAY)
        .unwrap();
    assert_eq!(prices.worst(1_000_000, 160).0, PicoUsd::ZERO);
}
