#!/usr/bin/env python3
"""Compares our signer and our verification with the official Node SDK, in both directions.

    python3 crates/frontdesk-twilio/tests/node_oracle.py --npm-folder target/tools/twilio-node --requests 500

Each random request is signed by `examples/sign_lines.rs` and by `twilio` 6.2.0 of npm, and each signature is decided by
`validateRequest` and by `examples/verify_lines.rs`; then it is changed, or the request is, and decided again. The last
line is `N requests, M changes, K disagreements`; exit code 1 if K is not 0.
"""

import argparse
import json
import pathlib
import random
import shutil
import string
import subprocess
import sys
from urllib.parse import quote, quote_plus

TWILIO = "6.2.0"
CRATE = pathlib.Path(__file__).resolve().parent.parent
PUBLIC = "https://fd.example.test"
# What other encoders and sorters treat in their own way.
ODD = ["'", " ", "  ", "+", "%", "&", "=", "~", "*", "!", "(", ")", "\"", "<", ">", "é", "ß", "🙂", "\n", "\r\n", "\t", "|", "^", "`", "\\", ","]


def own_sdk(folder):
    """Installs the SDK into a folder, unless it is there."""
    manifest = folder / "node_modules" / "twilio" / "package.json"
    if manifest.exists() and json.loads(manifest.read_text())["version"] == TWILIO:
        return
    if not shutil.which("npm"):
        sys.exit("npm is missing: install Node.js 20 or newer")
    print(f"installing twilio {TWILIO} of npm into {folder}", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text('{"private": true}\n')
    quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    subprocess.run(["npm", "install", *quiet, f"twilio@{TWILIO}"], cwd=folder, check=True)


def built(name, profile):
    """The path of an example, built now."""
    command = ["cargo", "build", "--quiet", "--package", "frontdesk-twilio", "--example", name, "--profile", profile]
    lines = subprocess.run([*command, "--message-format", "json"], cwd=CRATE, check=True, stdout=subprocess.PIPE).stdout
    messages = [json.loads(line) for line in lines.splitlines()]
    return next(m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == name)


def answers(command, lines):
    stdin = "".join(json.dumps(line) + "\n" for line in lines).encode()
    out = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, check=True).stdout.decode().split("\n")[:-1]
    assert len(out) == len(lines), f"{command[0]}: {len(out)} answers to {len(lines)} requests"
    return out


def words(r):
    pieces = [r.choice(ODD) if r.random() < 0.4 else "".join(r.choices(string.ascii_letters + string.digits, k=r.randint(1, 6)))
              for _ in range(r.randint(0, 6))]
    return "".join(pieces)


def new_request(r):
    names = r.sample(["AccountSid", "CallSid", "From", "To", "SpeechResult", "Confidence", "Reason", "ReasonConferenceEnded",
                      "Digits", "a", "B", "Zz", "with blank", "it's"], k=r.randint(0, 9))
    pairs = [(name, words(r)) for name in names]
    if pairs and r.random() < 0.2:  # a name twice
        pairs.append((pairs[0][0], words(r)))
    r.shuffle(pairs)
    target = "/api/twilio/v2-agent-respond/" + "".join(r.choices("0123456789abcdef", k=24))
    if r.random() < 0.6:
        query = [(r.choice(["s", "t", "it's"]), words(r)) for _ in range(r.randint(1, 3))]
        # Twilio signs what stands in the address, so `'` goes both raw and escaped.
        safe = r.choice(["'", ""])
        target += "?" + "&".join(f"{quote(name, safe=safe)}={quote(value, safe=safe)}" for name, value in query)
    return {"token": "".join(r.choices("0123456789abcdef", k=32)), "target": target, "pairs": pairs}


def params(pairs):
    """As a Node server hands them over: a list where a name stands twice."""
    given = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in given.items()}


def body(pairs):
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)


def changed(r, request, signature):
    """The request or its signature, not as it was signed."""
    request = {**request, "pairs": list(request["pairs"])}
    change = r.randrange(4)
    if change == 0:
        at = r.randrange(len(signature) - 2)
        signature = signature[:at] + ("A" if signature[at] != "A" else "B") + signature[at + 1:]
    elif change == 1:
        request["pairs"].append(("Added", words(r)))
    elif change == 2:
        request["token"] = request["token"][::-1] + "0"
    else:
        request["target"] = request["target"].replace("/api", "/apj", 1)
    return request, signature


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--npm-folder", type=pathlib.Path, required=True)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--seed", type=int, default=20_261_126)
    parser.add_argument("--profile", default="release", help="cargo profile of the examples")
    args = parser.parse_args()
    own_sdk(args.npm_folder)
    signer, verifier = built("sign_lines", args.profile), built("verify_lines", args.profile)
    node = ["node", str(CRATE / "tests" / "node_oracle.js"), str(args.npm_folder.resolve())]
    r = random.Random(args.seed)

    def ask_node(asked):
        lines = [{"token": q["token"], "url": PUBLIC + q["target"], "params": params(q["pairs"]), "signature": s} for q, s in asked]
        return [json.loads(answer) for answer in answers(node, lines)]

    def ask_us(asked):
        lines = [{"public": PUBLIC, "target": q["target"], "form": body(q["pairs"]), "signature": s, "current": q["token"]} for q, s in asked]
        return [answer.startswith("accept ") for answer in answers([verifier], lines)]

    requests = [new_request(r) for _ in range(args.requests)]
    signed = [{"token": q["token"], "url": PUBLIC + q["target"], "form": body(q["pairs"])} for q in requests]
    ours = list(zip(requests, answers([signer], signed)))
    wrong = 0

    def fault(what, request):
        nonlocal wrong
        wrong += 1
        if wrong <= 10:
            print(f"{what}: {json.dumps(request)}", flush=True)

    theirs = []
    for (request, signature), said in zip(ours, ask_node(ours)):
        theirs.append((request, said["expected"]))
        if not said["valid"]:
            fault("the SDK refuses our signature", request)
        if said["expected"] != signature:
            fault(f"the SDK signs {said['expected']}, we {signature}", request)
    for (request, _), accepted in zip(theirs, ask_us(theirs)):
        if not accepted:
            fault("we refuse the SDK's signature", request)
    changes = [changed(r, request, signature) for request, signature in ours]
    for (request, _), said, accepted in zip(changes, ask_node(changes), ask_us(changes)):
        if said["valid"] or accepted:
            fault(f"a changed request is accepted by {'the SDK' if said['valid'] else 'us'}", request)
    print(f"{len(requests)} requests, {len(changes)} changes, {wrong} disagreements")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
