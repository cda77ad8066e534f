//! Sentences of callers who are in no danger, however they sound.

use super::{EMBEDDED, check_all, normalize};

#[test]
fn danger_words_inside_other_words_say_nothing() {
    check_all(&[(
        "",
        &[
            "keystroke",
            "brushstrokes",
            "the motor seized up",
            "gasket",
            "smokeless grill",
            "firewood",
            "shockproof",
            "the head gasket is blown",
            "do you deliver firewood",
            "is your keypad shockproof",
            "a smokeless fire pit",
            "the compressor seized",
            "I need brushstrokes touched up on the mural",
            "campfire ring installation",
            "stroller stuck",
            "Monoxidil",
            "the gasoline can",
            "a firetruck mural",
            "sparkling water line",
        ],
    )]);
}

#[test]
fn figures_of_speech_are_no_danger() {
    check_all(&[(
        "",
        &[
            "I almost had a heart attack when I saw the bill",
            "that quote gave me a heart attack",
            "these prices are killing me",
            "my feet are killing me",
            "I'm drowning in paperwork",
            "we're drowning in calls this week",
            "I'm dying to know when you can come",
            "my phone died so I missed your call",
            "my phone is dead",
            "the battery is dead in my key fob",
            "dead battery in the remote",
            "the whole outlet is dead",
            "talk about sticker shock",
            "I was shocked when I got the invoice",
            "I'm shocked at how nice your guy was",
            "you guys are on fire with those reviews",
            "our budget went up in smoke",
            "do you have a fire sale on filters",
            "the contractor is bleeding me dry",
            "I'm stuck in traffic, running late",
            "I feel trapped in my contract",
            "I locked in the price last week",
            "I'd kill myself trying to lift that water heater",
            "the fees are choking me, the price is choking me",
            "burning question, do you work Sundays",
            "that's burning money",
            "she had a stroke of luck",
            "I was dying of boredom on hold",
            "we passed out flyers for you",
            "our phones are exploding with calls, sales are on fire",
        ],
    )]);
}

#[test]
fn ordinary_work_is_no_danger() {
    check_all(&[(
        "",
        &[
            "my smoke detector battery is chirping",
            "the smoke alarm chirps every minute",
            "can you install a smoke alarm in the nursery",
            "how much to put in carbon monoxide detectors",
            "the CO detector has a low battery",
            "where should I mount a carbon monoxide alarm",
            "I want a quote for a gas fireplace",
            "what do you charge to run a gas line to the grill",
            "question about my gas bill",
            "how much is a new gas water heater",
            "my gas stove needs a new igniter",
            "do you service gas dryers",
            "do you bleed radiators, mine need bleeding, I mean bleeding the radiators",
            "my truck needs bleeding the brakes and a shock absorber",
            "pool shock, how many bags do I need",
            "do you shock the pool when you open it",
            "we get static shocks from the carpet all winter",
            "spark plug for my mower",
            "the igniter sparks but the furnace won't light",
            "I burned the toast and the kitchen smells",
            "wood burning stove inspection",
            "can you clean up fire damage from last year",
            "the house had a fire two years ago and needs rewiring",
            "do you offer smoke odor removal",
            "my tenant smokes in the unit and I need it cleaned",
            "toy with small parts, is it a choking hazard",
            "the drain is choking up again",
            "a squirrel is stuck in the chimney",
            "my ring is stuck in the drain",
            "the garage door is stuck halfway",
            "the window is stuck",
            "the elevator inspection is due",
            "my key is stuck in the lock",
            "I locked my keys in the car",
            "I'm locked out of my house",
            "there's trapped air in the lines",
            "water trapped behind the wall",
            "trim a tree away from the power lines",
            "get an estimate for trimming branches near the power line",
            "the phone lines are down at my office so call my cell",
            "our internet line is down",
            "need a new outlet near the sink",
            "do you sell outlet covers",
            "the water heater is leaking",
            "my electric water heater drips",
            "the toilet is overflowing",
            "the basement flooded last spring and I want a sump pump",
            "my AC is out, how soon can you come",
            "no heat at the rental, it's vacant",
            "furnace is twenty years old and not working",
            "the unit's eighty percent efficient and won't heat",
            "can you hang a ceiling fan in the baby's room",
            "I have a two year old dishwasher that won't drain",
            "fire extinguisher inspection",
            "fire alarm monitoring contract",
            "fire ants in the yard",
            "termites are attacking my house",
            "need a nail gun rental",
            "can you cut a key for a gun safe",
            "break in last night, I need the locks changed",
            "my dog has a limp, can I get an appointment",
            "I had a root canal, when can I brush",
            "my gums are bleeding when I floss",
            "do you have CPR classes",
            "I need a stump removed where the tree fell last month",
            "the shed roof collapsed in the snow",
            "sewer line collapsed",
            "blows out cold air fine",
            "the remote is dead and the opener won't respond",
            "a mouse died in the wall and it stinks",
            "roaches, dead ones everywhere",
            "the water tastes like rotten eggs",
            "sewer smell in the bathroom",
            "it's hot upstairs and cold downstairs",
            "who do I talk to about a generator install",
            "the speaker wires are hanging loose",
            "do you repair hot tubs, mine is stuck on one temperature",
            "pilot flame is yellow, is that ok",
            "how do I reset the breaker",
            "is there a discount for seniors",
            "cancel my appointment please",
            "do you do emergency calls on weekends",
            "I'd like to leave a review, the technician was great",
        ],
    )]);
}

#[test]
fn a_negation_takes_away_the_danger_words_that_it_governs() {
    check_all(&[(
        "",
        &[
            "there's no smoke",
            "there is no smoke or fire",
            "I don't smell gas",
            "I do not smell any gas",
            "we don't smell gas or anything burning",
            "nobody is hurt",
            "no one is bleeding or unconscious",
            "nobody's trapped, the elevator just needs service",
            "no burning smell",
            "there's no gas leak, I just want a tune up",
            "no sparks, it just clicks",
            "it isn't sparking",
            "it's not smoking, it's steam",
            "it never caught fire",
            "I don't think it's a gas leak",
            "I don't see any flames",
            "there weren't any sparks or smoke",
            "I didn't get shocked",
            "nothing is on fire, I just need an estimate",
            "without any smoke coming out",
            "can't smell any gas",
            "no sign of smoke",
            "she isn't choking",
            "he didn't pass out and he isn't having a seizure",
            "it's not an allergic reaction, just dust",
            "no chest pain, it's only for the form",
            "we don't have a carbon monoxide detector",
            "no power lines down, just the branches",
            "there's no smoke and no fire",
        ],
    )]);
}

#[test]
fn where_a_negation_is_in_doubt_the_rule_speaks() {
    check_all(&[
        (
            "gas-leak",
            &[
                "I'm not sure if it's gas I smell",
                "not only do I smell gas",
                "no idea but I smell gas",
            ],
        ),
        (
            "medical",
            &[
                "not breathing",
                "she can't breathe",
                "it won't stop bleeding",
                "he hasn't stopped choking",
            ],
        ),
        (
            "smoke-fire",
            &[
                "never mind there's smoke coming out",
                "it hasn't stopped smoking and there's smoke everywhere",
                "not a drill, house fire",
            ],
        ),
        ("carbon-monoxide", &["I don't smell gas but the CO alarm is going off"]),
        (
            "sparks-burning",
            &["it won't quit sparking", "no heat and the outlet is sparking"],
        ),
    ]);
}

#[test]
fn questions_about_a_service_are_no_danger() {
    check_all(&[(
        "",
        &[
            "does the tune up check for gas leaks",
            "do you check for gas leaks",
            "do you guys check for gas leaks during the annual inspection",
            "is a gas leak check included in the tune up",
            "does the maintenance plan include a gas leak test",
            "do you check for carbon monoxide during a tune up",
            "does the furnace inspection test for carbon monoxide",
            "is carbon monoxide testing included",
            "does the tune up include a carbon monoxide test",
            "is the CO check part of the tune up",
            "how much is a CO detector",
            "how much does a carbon monoxide detector cost",
            "what does a CO alarm cost",
            "do you sell CO detectors",
            "how long do carbon monoxide detectors last",
            "how often should I replace my CO detector",
            "the pool salt reads 3000 parts per million",
            "our hard water tested at 200 ppm",
        ],
    )]);
}

#[test]
fn a_service_question_hides_no_danger_beside_it() {
    check_all(&[
        (
            "gas-leak",
            &[
                "do you check for gas leaks because I smell gas",
                "can you check for a gas leak",
                "I need someone to check for a gas leak",
            ],
        ),
        (
            "carbon-monoxide",
            &[
                "do you sell CO detectors because mine is going off",
                "how much is a CO detector mine is going off",
                "do you test for carbon monoxide my alarm is going off",
                "is carbon monoxide making us sick",
            ],
        ),
    ]);
}

#[test]
fn a_no_before_just_denies() {
    check_all(&[
        (
            "",
            &[
                "no smell of gas just no heat",
                "no gas smell just a noise",
                "no smoke just a noise",
                "there's no smoke or anything just a noise",
                "there's no gas smell can it wait until Monday",
                "I don't smell gas so I can wait until tomorrow",
                "if I don't smell gas can I relight the pilot",
            ],
        ),
        (
            "gas-leak",
            &[
                "no gas just started leaking out of the stove",
                "no smell of gas just a hissing sound by the gas meter",
            ],
        ),
    ]);
}

#[test]
fn what_sounds_like_an_emergency_is_none() {
    check_all(&[(
        "",
        &[
            "I passed out your flyers",
            "we passed out all of your door hangers",
            "I had no hot water so I got shocked by cold water",
            "shocked by the freezing cold shower this morning",
            "my address is 911 Oak Street",
            "I'm in unit 911",
            "this isn't a 911 call",
            "no need to call 911",
            "I don't need 911",
            "I need a copy of the police report",
            "do police officers get a discount",
            "we need service at the police station",
            "refund me or I'll call the police",
            "can I mix bleach and vinegar",
            "don't hang up",
            "please don't hang up on me",
            "my head is about to explode",
        ],
    )]);
}

/// What is withheld is not heard by meaning either.
#[test]
fn a_denial_or_a_plea_is_withheld_from_the_meaning() {
    let withheld = |utterance: &str, category: &str| {
        let normal = normalize(utterance);
        let at = EMBEDDED
            .categories()
            .iter()
            .position(|known| known.id.as_str() == category);
        EMBEDDED.withheld(&normal)[at.unwrap()]
    };
    for (utterance, category, expected) in [
        ("there's no smoke or anything just a noise", "smoke-fire", true),
        ("there is no smoke or fire", "smoke-fire", true),
        ("there isn't any smoke at all", "smoke-fire", true),
        ("there's no smell or anything just no heat", "gas-leak", true),
        ("there's no smoke just a red glow", "smoke-fire", false),
        ("don't hang up", "self-harm", true),
        ("please don't hang up on me", "self-harm", true),
        ("don't hang up", "violence", true),
        ("stop hanging up on me", "self-harm", true),
        ("don't hang up he'll hurt me", "violence", false),
        ("if you hang up I won't be here tomorrow", "self-harm", false),
    ] {
        assert_eq!(withheld(utterance, category), expected, "{utterance}: {category}");
    }
}
