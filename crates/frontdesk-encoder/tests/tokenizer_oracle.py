#!/usr/bin/env python3
"""Compares our word pieces with those of the official tokenizer, for every text of data/trades and for odd ones.

    python3 crates/frontdesk-encoder/tests/tokenizer_oracle.py --odd 100000

Texts are read by `tokenizers` 0.22.1 of PyPI and by `examples/tokens.rs`, both from the `tokenizer.json` of the installed
model. The last line is `N texts, K disagreements`; exit code 1 if K is not 0.

Where we promise more than the reference, it is asked under one rule: a special token that is spelled out in a text
("[SEP]") is text like any other, so texts with a bracket beside such a word are not drawn.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys

TOKENIZERS = "0.22.1"
CRATE = pathlib.Path(__file__).resolve().parent.parent
TRADES = CRATE.parent.parent / "data" / "trades"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "frontdesk"
MODEL = CACHE / "models" / "all-MiniLM-L6-v2"
# Letters of several alphabets, marks that combine, signs, blanks and controls, emoji with joiners.
ODD = list("abcxyzABC019 .,;:!?'\"()-/&%$#@*_~`|<>{}=+^\\ \t\n\r") + [
    "é", "É", "e\u0301", "ß", "ẞ", "İ", "ı", "Σ", "ς", "ñ", "ø", "Å", "½", "№", "€", "„", "“", "…", "–", "—", "·", "¿", "«",
    "я", "Й", "й", "ї", "ع", "ً", "ש", "ְ", "中", "文", "𠀀", "かが", "한", "\u00a0", "\u2009", "\u3000", "\u200b", "\u200d",
    "\ufeff", "\u00ad", "\ufffd", "\u0000", "\u0007", "\ue000", "🙂", "👩‍🔧", "🏳️‍🌈", "❄️", "🇺🇸", "ﬁ", "Ⅷ", "²", "ǅ", "ᾳ", "a" * 101,
]
WORDS = ["furnace", "won't", "AC", "unbelievably", "hvac", "24/7", "e-mail", "http://x.example", "5°F", "naïve", "Zürich"]


def own_environment():
    """Makes a virtual environment with the reference, if this interpreter lacks it, and starts again inside it."""
    try:
        import tokenizers

        if tokenizers.__version__ == TOKENIZERS:
            return
    except ImportError:
        pass
    venv = CACHE / f"oracle-tokenizers-{TOKENIZERS}"
    python = venv / "bin" / "python"
    if os.environ.get("FRONTDESK_ORACLE_STARTED"):
        sys.exit(f"tokenizers {TOKENIZERS} cannot be imported in {venv}: remove the folder and try again")
    if not (venv / "installed").exists():
        print(f"installing tokenizers {TOKENIZERS} into {venv}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"tokenizers=={TOKENIZERS}"], check=True)
        (venv / "installed").touch()
    os.execve(python, [str(python), *sys.argv], {**os.environ, "FRONTDESK_ORACLE_STARTED": "1"})


def built(profile):
    """The path of the example, built now."""
    command = ["cargo", "build", "--quiet", "--package", "frontdesk-encoder", "--example", "tokens", "--profile", profile]
    lines = subprocess.run([*command, "--message-format", "json"], cwd=CRATE, check=True, stdout=subprocess.PIPE).stdout
    messages = [json.loads(line) for line in lines.splitlines()]
    return next(m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "tokens")


def strings(value):
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for inner in value.values() for text in strings(inner))
    elif isinstance(value, list):
        yield from (text for inner in value for text in strings(inner))


def of_trades():
    found = set()
    for file in sorted(TRADES.rglob("*.json*")):
        text = file.read_text(encoding="utf-8")
        documents = [json.loads(line) for line in text.splitlines() if line] if file.suffix == ".jsonl" else [json.loads(text)]
        found.update(text for document in documents for text in strings(document))
    return sorted(found)


def odd(r):
    return "".join(r.choice(WORDS) if r.random() < 0.2 else r.choice(ODD) for _ in range(r.randint(0, 40)))


def main():
    own_environment()
    import tokenizers

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--odd", type=int, default=100_000, help="texts drawn beside those of the trades")
    parser.add_argument("--seed", type=int, default=20_261_127)
    parser.add_argument("--model", type=pathlib.Path, default=MODEL)
    parser.add_argument("--profile", default="release", help="cargo profile of the example")
    parser.add_argument("--binary", help="an example that is built already")
    args = parser.parse_args()
    trades = of_trades()
    r = random.Random(args.seed)
    texts = trades + [odd(r) for _ in range(args.odd)]
    reference = tokenizers.Tokenizer.from_file(str(args.model / "tokenizer.json"))
    reference.no_padding()
    encoded = reference.encode_batch(texts)
    asked = "".join(json.dumps(text) + "\n" for text in texts).encode()
    out = subprocess.run([args.binary or built(args.profile), str(args.model)], input=asked, stdout=subprocess.PIPE, check=True).stdout
    ours = out.decode().split("\n")[:-1]
    assert len(ours) == len(texts), f"{len(ours)} answers to {len(texts)} texts"
    wrong = 0
    for text, one, other in zip(texts, encoded, ours):
        if one.ids != [int(number) for number in other.split()]:
            wrong += 1
            if wrong <= 10:
                print(f"{text!r}\n  reference {one.ids}\n  ours      {other}")
    print(f"{len(trades)} texts of the trades, {args.odd} odd ones, {wrong} disagreements")
    sys.exit(wrong != 0)


main()
