//! From checked elements to verbs, with Twilio's defaults filled in.

use std::time::Duration;

use super::{Dial, Gather, Link, Method, Number, Play, Record, Say, SpeechTimeout, Verb, checked::Checked, number};
use crate::code::{Code, Fault};

/// The verbs that stand in an element.
pub(super) fn verbs(parent: &Checked, warnings: &mut Vec<Fault>) -> Result<Vec<Verb>, Fault> {
    parent.children.iter().map(|child| verb(child, warnings)).collect()
}

fn verb(element: &Checked, warnings: &mut Vec<Fault>) -> Result<Verb, Fault> {
    Ok(match element.name {
        "Say" => Verb::Say(say(element)?),
        "Play" => Verb::Play(Play {
            url: element.text.clone(),
            digits: element.attribute("digits").map(str::to_owned),
            times: element.number("loop").unwrap_or(1),
        }),
        "Pause" => Verb::Pause(seconds(element, "length", 1)),
        "Gather" => Verb::Gather(gather(element, warnings)?),
        "Record" => Verb::Record(record(element)),
        "Dial" => Verb::Dial(dial(element, warnings)),
        "Redirect" => Verb::Redirect(Link {
            url: element.text.clone(),
            method: method(element, "method"),
        }),
        "Reject" => Verb::Reject,
        _ => Verb::Hangup,
    })
}

/// How many characters a voice takes, mark-up included.
fn longest(voice: Option<&str>) -> usize {
    match voice {
        Some(voice) if voice.starts_with("Polly.") => 3_000,
        Some(voice) if voice.starts_with("Google.") => 5_000,
        _ => 4_096,
    }
}

fn say(element: &Checked) -> Result<Say, Fault> {
    let voice = element.attribute("voice");
    let most = longest(voice);
    let is_basic = most == 4_096;
    let encoded = element.text.bytes().map(|byte| {
        if byte.is_ascii_alphanumeric() || b" -._~".contains(&byte) {
            1
        } else {
            3
        }
    });
    let too_long = element.marked_up > most || (is_basic && encoded.sum::<usize>() > 4_500);
    if too_long {
        let detail = format!(
            "{} characters for the voice {}",
            element.marked_up,
            voice.unwrap_or("man")
        );
        return Err(Fault::new(Code::SayTooLong, detail));
    }
    Ok(Say {
        text: element.text.split_whitespace().collect::<Vec<_>>().join(" "),
        voice: voice.map(str::to_owned),
        times: element.number("loop").unwrap_or(1),
    })
}

fn gather(element: &Checked, warnings: &mut Vec<Fault>) -> Result<Gather, Fault> {
    let input = element.attribute("input").unwrap_or("dtmf");
    let timeout = seconds(element, "timeout", 5);
    let speech = input.split(' ').any(|kind| kind == "speech");
    let model = element.attribute("speechModel").unwrap_or("default");
    let speech_timeout = match element.attribute("speechTimeout") {
        Some("auto") => {
            if model == "default" {
                let detail = "<Gather speechTimeout=\"auto\"> without a speechModel";
                warnings.push(Fault::new(Code::AutoWithDefaultModel, detail));
            } else {
                let detail = format!("<Gather speechTimeout=\"auto\" speechModel=\"{model}\">");
                warnings.push(Fault::new(Code::SpeechTimeout, detail));
            }
            SpeechTimeout::Auto
        }
        Some(_) => SpeechTimeout::After(seconds(element, "speechTimeout", 5)),
        None => SpeechTimeout::After(timeout),
    };
    Ok(Gather {
        action: element.attribute("action").map(str::to_owned),
        method: method(element, "method"),
        action_on_empty_result: element.is_on("actionOnEmptyResult").unwrap_or(false),
        speech,
        keys: input.split(' ').any(|kind| kind == "dtmf"),
        timeout,
        speech_timeout,
        max_speech: element
            .number("maxSpeechTime")
            .map(|most| Duration::from_secs(most.into())),
        num_digits: element.number("numDigits").and_then(|most| most.try_into().ok()),
        finish_on_key: element.attribute("finishOnKey").unwrap_or("#").chars().next(),
        barge_in: element.is_on("bargeIn").unwrap_or(true),
        language: element.attribute("language").unwrap_or("en-US").to_owned(),
        hints: listed(element.attribute("hints"), ','),
        partial_results: link(element, "partialResultCallback", "partialResultCallbackMethod"),
        prompts: verbs(element, warnings)?,
    })
}

fn record(element: &Checked) -> Record {
    let asked = element.is_on("transcribe").unwrap_or(false);
    let callback = element.attribute("transcribeCallback").map(str::to_owned);
    Record {
        action: element.attribute("action").map(str::to_owned),
        method: method(element, "method"),
        timeout: seconds(element, "timeout", 5),
        max_length: seconds(element, "maxLength", 3_600),
        finish_on_key: element.attribute("finishOnKey").unwrap_or("1234567890*#").to_owned(),
        beep: element.is_on("playBeep").unwrap_or(true),
        status_callback: link(element, "recordingStatusCallback", "recordingStatusCallbackMethod"),
        status_events: events(element, "recordingStatusCallbackEvent"),
        transcript: callback.filter(|_| asked),
    }
}

fn dial(element: &Checked, warnings: &mut Vec<Fault>) -> Dial {
    let mut numbers: Vec<Number> = element.children.iter().map(callee).collect();
    if numbers.is_empty() {
        numbers.push(callee(element));
    }
    if let Some(too_many) = numbers.len().checked_sub(11) {
        let detail = format!("{} nouns stand in a <Dial> beyond its ten", too_many + 1);
        warnings.push(Fault::new(Code::Schema, detail));
        numbers.truncate(10);
    }
    warnings.extend(numbers.iter().filter_map(|number| number.fault.clone()));
    Dial {
        action: element.attribute("action").map(str::to_owned),
        method: method(element, "method"),
        timeout: seconds(element, "timeout", 30),
        time_limit: seconds(element, "timeLimit", 14_400),
        caller_id: element.attribute("callerId").map(str::to_owned),
        numbers,
    }
}

/// A noun, or a `<Dial>` that holds a bare number.
fn callee(element: &Checked) -> Number {
    let is_a_number = matches!(element.name, "Number" | "Dial");
    let progress = (element.name != "Dial").then(|| events(element, "statusCallbackEvent"));
    Number {
        number: element.text.clone(),
        fault: is_a_number.then(|| number::fault(&element.text)).flatten(),
        whisper: link(element, "url", "method").filter(|_| element.name != "Dial"),
        status_callback: link(element, "statusCallback", "statusCallbackMethod"),
        status_events: progress.unwrap_or_default(),
    }
}

fn events(element: &Checked, name: &str) -> Vec<String> {
    listed(Some(element.attribute(name).unwrap_or("completed")), ' ')
}

fn listed(value: Option<&str>, separator: char) -> Vec<String> {
    let entries = value.unwrap_or_default().split(separator).map(str::trim);
    entries.filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
}

fn link(element: &Checked, url: &str, how: &str) -> Option<Link> {
    Some(Link {
        url: element.attribute(url)?.to_owned(),
        method: method(element, how),
    })
}

fn method(element: &Checked, name: &str) -> Method {
    match element.attribute(name) {
        Some("GET") => Method::Get,
        _ => Method::Post,
    }
}

fn seconds(element: &Checked, name: &str, default: u32) -> Duration {
    Duration::from_secs(element.number(name).unwrap_or(default).into())
}
